//! Finds types whose methods are spread over several files.

use std::collections::{BTreeMap, BTreeSet};

use syn::{GenericArgument, ItemImpl, PathArguments, Type};

/// Smart pointers of the standard library: `impl Rc<Inbox>` belongs to `Inbox`.
const POINTERS: [&str; 5] = ["Arc", "Box", "Pin", "Rc", "RefCell"];

/// Traits of other crates that make a type part of a mechanism of the language: what they do is part of the type's own behaviour.
const BEHAVIOUR: [&str; 6] = ["AsyncRead", "AsyncWrite", "Drop", "Future", "Iterator", "Stream"];

/// Returns the path of the type whose own methods an `impl` block has: an inherent block, or one of a trait of its behaviour.
pub fn implemented(item: &ItemImpl) -> Option<Vec<String>> {
    if let Some((_, trait_, _)) = &item.trait_ {
        let name = trait_.segments.last()?.ident.to_string();
        if !BEHAVIOUR.contains(&name.as_str()) {
            return None;
        }
    }
    type_path(&item.self_ty)
}

/// Returns the path of a type, without references and smart pointers around it.
fn type_path(of: &Type) -> Option<Vec<String>> {
    match of {
        Type::Reference(reference) => type_path(&reference.elem),
        Type::Paren(paren) => type_path(&paren.elem),
        Type::Group(group) => type_path(&group.elem),
        Type::Path(path) => {
            let segments = &path.path.segments;
            let last = segments.last()?;
            if let PathArguments::AngleBracketed(arguments) = &last.arguments
                && POINTERS.contains(&last.ident.to_string().as_str())
            {
                return arguments.args.iter().find_map(|argument| match argument {
                    GenericArgument::Type(inner) => type_path(inner),
                    _ => None,
                });
            }
            Some(segments.iter().map(|segment| segment.ident.to_string()).collect())
        }
        _ => None,
    }
}

/// The files in which each type has `impl` blocks, by the type's defining file and its name.
#[derive(Default)]
pub struct ImplFiles(BTreeMap<(usize, String), BTreeSet<usize>>);

impl ImplFiles {
    /// Adds an `impl` block in the file `at` of a type that the file `defined_in` defines.
    pub fn add(&mut self, defined_in: usize, name: &str, at: usize) {
        self.0.entry((defined_in, name.to_owned())).or_default().insert(at);
    }

    /// Returns the types with blocks outside the file that defines them: the file, the name, and the other files.
    pub fn spread(&self) -> impl Iterator<Item = (usize, &str, Vec<usize>)> {
        self.0.iter().filter_map(|((defined_in, name), files)| {
            let others: Vec<usize> = files.iter().copied().filter(|file| file != defined_in).collect();
            (!others.is_empty()).then_some((*defined_in, name.as_str(), others))
        })
    }
}

#[test]
fn an_impl_block_belongs_to_the_type_and_not_to_what_is_around_it() {
    let cases: [(&str, Option<&str>); 13] = [
        ("impl A {}", Some("A")),
        ("impl super::b::A<'_> {}", Some("super::b::A")),
        ("impl<T: Clone> A<T> where T: Copy {}", Some("A")),
        ("impl Rc<A> {}", Some("A")),
        ("impl Pin<&mut A<T>> {}", Some("A")),
        ("impl std::rc::Rc<RefCell<b::A>> {}", Some("b::A")),
        ("impl Drop for A {}", Some("A")),
        ("impl std::future::Future for &A {}", Some("A")),
        ("impl<S> Stream for A<S> {}", Some("A")),
        // A conversion may stand with the other type, and a trait of the crate with its other implementations.
        ("impl From<B> for A {}", None),
        ("impl Method for A {}", None),
        ("impl Drop for (A, B) {}", None),
        ("impl dyn A {}", None),
    ];
    for (item, expected) in cases {
        let found = implemented(&syn::parse_str(item).unwrap()).map(|path| path.join("::"));
        assert_eq!(found.as_deref(), expected, "{item}");
    }
}

#[test]
fn a_type_is_spread_if_a_block_is_in_another_file_than_its_definition() {
    let mut all = ImplFiles::default();
    // Two types of one name in two files are two types.
    all.add(1, "A", 1);
    all.add(2, "A", 2);
    assert_eq!(all.spread().count(), 0);
    // A single block elsewhere counts as well.
    all.add(3, "B", 4);
    all.add(1, "A", 5);
    all.add(1, "A", 6);
    let found: Vec<_> = all.spread().collect();
    assert_eq!(found, [(1, "A", vec![5, 6]), (3, "B", vec![4])]);
}
