//! The files of a crate, and which file uses items of which: paths are followed through re-exports to the file that defines the item.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Item, ItemImpl, ItemMod, ItemUse, Macro, UseTree};

use crate::impl_files::{self, ImplFiles};

type ModulePath = Vec<String>;

/// A crate without its tests.
pub struct Crate {
    files: Vec<String>,
    modules: BTreeMap<ModulePath, Module>,
    edges: BTreeSet<(usize, usize)>,
}

/// A module, in a file of its own or in its parent's.
#[derive(Default)]
struct Module {
    file: usize,
    children: BTreeSet<String>,
    items: BTreeSet<String>,
    /// The names that `use` imports, with their paths.
    imports: BTreeMap<String, Vec<String>>,
    globs: Vec<Vec<String>>,
    /// The paths in the source, unchanged.
    paths: BTreeSet<Vec<String>>,
    /// The types that `impl` blocks are for.
    implemented: BTreeSet<Vec<String>>,
}

impl Crate {
    /// Reads the crate whose root module is `root`.
    pub fn read(root: &Path) -> Self {
        let mut parsed = Self {
            files: Vec::new(),
            modules: BTreeMap::new(),
            edges: BTreeSet::new(),
        };
        parsed.read_file(root, Vec::new(), root.parent().unwrap());
        parsed.connect();
        parsed
    }

    /// Returns the number of files.
    pub fn files(&self) -> usize {
        self.files.len()
    }

    /// Returns the module path of a file.
    pub fn name(&self, file: usize) -> &str {
        &self.files[file]
    }

    /// Returns pairs of a file and another one whose items it uses.
    pub fn edges(&self) -> &BTreeSet<(usize, usize)> {
        &self.edges
    }

    /// Returns in which files each type has its `impl` blocks.
    pub fn impl_files(&self) -> ImplFiles {
        let mut found = ImplFiles::default();
        for (at, module) in &self.modules {
            for path in &module.implemented {
                if let Some((defined_in, name)) = self.resolve(at, path, 0) {
                    found.add(defined_in, &name, module.file);
                }
            }
        }
        found
    }

    /// Returns the modules at the crate's root.
    pub fn top_level(&self) -> BTreeSet<String> {
        self.modules[&Vec::new()].children.clone()
    }

    /// Returns the top-level module of a file.
    pub fn top_level_of(&self, file: usize) -> &str {
        self.files[file].split("::").next().unwrap()
    }

    fn read_file(&mut self, path: &Path, module: ModulePath, folder: &Path) {
        let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let syntax = syn::parse_file(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let file = self.files.len();
        self.files.push(if module.is_empty() {
            "main".to_owned()
        } else {
            module.join("::")
        });
        self.read_items(&syntax.items, module, file, folder);
    }

    fn read_items(&mut self, items: &[Item], path: ModulePath, file: usize, folder: &Path) {
        let mut module = Module {
            file,
            ..Module::default()
        };
        let mut inner = Vec::new();
        for item in items.iter().filter(|item| !is_for_tests(attributes(item))) {
            if let Some(name) = defined(item) {
                module.items.insert(name);
            }
            // A file that a module of another crate shares is read with that crate.
            let is_shared = |item: &ItemMod| item.attrs.iter().any(|attribute| attribute.path().is_ident("path"));
            if matches!(item, Item::Mod(item) if is_shared(item)) {
                continue;
            }
            if let Item::Mod(item) = item {
                module.children.insert(item.ident.to_string());
                inner.push(item);
            } else {
                module.visit_item(item);
            }
        }
        self.modules.insert(path.clone(), module);
        for ItemMod { ident, content, .. } in inner {
            let mut child = path.clone();
            child.push(ident.to_string());
            let below = folder.join(ident.to_string());
            match content {
                Some((_, items)) => self.read_items(items, child, file, &below),
                None if below.with_extension("rs").exists() => {
                    self.read_file(&below.with_extension("rs"), child, &below)
                }
                None => self.read_file(&below.join("mod.rs"), child, &below),
            }
        }
    }

    fn connect(&mut self) {
        let mut edges = BTreeSet::new();
        for (at, module) in &self.modules {
            let imports = module.imports.values().chain(&module.globs).chain(&module.paths);
            let targets = imports.filter_map(|path| self.resolve(at, path, 0).map(|(file, _)| file));
            edges.extend(
                targets
                    .filter(|file| *file != module.file)
                    .map(|file| (module.file, file)),
            );
        }
        self.edges = edges;
    }

    /// Returns the file that defines the item which `path` refers to in the module `at`, and the item's name there; `None` if that is a
    /// module or in another crate.
    fn resolve(&self, at: &[String], path: &[String], depth: usize) -> Option<(usize, String)> {
        let module = self.modules.get(at)?;
        let (first, rest) = path.split_first()?;
        // Two modules that import a name from each other would cause an endless loop.
        if depth > 32 {
            return None;
        }
        match first.as_str() {
            "crate" => self.resolve(&[], rest, depth + 1),
            "self" => self.resolve(at, rest, depth + 1),
            "super" => self.resolve(&at[..at.len().checked_sub(1)?], rest, depth + 1),
            "*" => Some((module.file, first.clone())),
            name if module.children.contains(name) => self.resolve(&[at, path.get(..1)?].concat(), rest, depth + 1),
            name if module.items.contains(name) => Some((module.file, first.clone())),
            name => match module.imports.get(name) {
                // `use name::name;` of another crate.
                Some(target) if target.first() == path.first() => None,
                Some(target) => self.resolve(at, &[target, rest].concat(), depth + 1),
                None => module.globs.iter().find_map(|glob| {
                    let (_, within) = glob.split_last()?;
                    self.resolve(at, &[within, path].concat(), depth + 1)
                }),
            },
        }
    }
}

impl Module {
    fn import(&mut self, tree: &UseTree, before: &[String]) {
        let with = |name: &dyn ToString| [before, &[name.to_string()]].concat();
        match tree {
            UseTree::Path(path) => self.import(&path.tree, &with(&path.ident)),
            UseTree::Name(name) if name.ident == "self" => {
                if let Some(last) = before.last() {
                    self.imports.insert(last.clone(), before.to_vec());
                }
            }
            UseTree::Name(name) => {
                self.imports.insert(name.ident.to_string(), with(&name.ident));
            }
            UseTree::Rename(rename) => {
                self.imports.insert(rename.rename.to_string(), with(&rename.ident));
            }
            UseTree::Glob(_) => self.globs.push(with(&"*")),
            UseTree::Group(group) => group.items.iter().for_each(|tree| self.import(tree, before)),
        }
    }

    /// Finds paths in a macro's input, which is not a syntax tree.
    fn find_paths(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if colons == 2 => path.push(ident.to_string()),
                TokenTree::Ident(ident) => {
                    self.paths.insert(std::mem::replace(&mut path, vec![ident.to_string()]));
                }
                TokenTree::Punct(mark) if mark.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Group(group) => self.find_paths(group.stream()),
                TokenTree::Punct(_) | TokenTree::Literal(_) => {}
            }
            colons = 0;
        }
        self.paths.insert(path);
    }
}

impl<'a> Visit<'a> for Module {
    fn visit_item_use(&mut self, item: &'a ItemUse) {
        self.import(&item.tree, &[]);
    }

    fn visit_item_impl(&mut self, item: &'a ItemImpl) {
        self.implemented.extend(impl_files::implemented(item));
        visit::visit_item_impl(self, item);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let segments = path.segments.iter().map(|segment| segment.ident.to_string());
        self.paths.insert(segments.collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, macro_: &'a Macro) {
        self.find_paths(macro_.tokens.clone());
    }
}

fn is_for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let condition = |list: &syn::MetaList| list.path.is_ident("cfg") && list.tokens.to_string() == "test";
        attribute.meta.require_list().is_ok_and(condition) || attribute.path().is_ident("test")
    })
}

fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Fn(item) => &item.attrs,
        Item::Impl(item) => &item.attrs,
        Item::Mod(item) => &item.attrs,
        Item::Use(item) => &item.attrs,
        Item::Const(item) => &item.attrs,
        Item::Struct(item) => &item.attrs,
        _ => &[],
    }
}

/// Returns the name that an item defines.
fn defined(item: &Item) -> Option<String> {
    Some(match item {
        Item::Const(item) => item.ident.to_string(),
        Item::Enum(item) => item.ident.to_string(),
        Item::Fn(item) => item.sig.ident.to_string(),
        Item::Macro(item) => item.ident.as_ref()?.to_string(),
        Item::Static(item) => item.ident.to_string(),
        Item::Struct(item) => item.ident.to_string(),
        Item::Trait(item) => item.ident.to_string(),
        Item::Type(item) => item.ident.to_string(),
        _ => return None,
    })
}
