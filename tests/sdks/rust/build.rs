//! Takes the program out of docs/programs.md.

use std::path::Path;
use std::{env, fs};

const PAGE: &str = "../../../docs/programs.md";

fn main() {
    println!("cargo::rerun-if-changed={PAGE}");
    let page = fs::read_to_string(PAGE).unwrap_or_else(|error| panic!("{PAGE}: {error}"));
    let (_, program) = page.split_once("```rust\n").expect("the page has a program in Rust");
    let (program, _) = program.split_once("```").expect("the program ends");
    let out = env::var_os("OUT_DIR").expect("cargo sets OUT_DIR");
    fs::write(Path::new(&out).join("documented.rs"), program).expect("the program is written");
}
