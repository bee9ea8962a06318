//! Topic filters, compared with a simple reference implementation: which topics a filter matches, which filter covers which, and that the
//! filters of `minimal_cover` together match exactly what all programs asked for.

#![no_main]

use arbitrary::Arbitrary;
use gatepost::messages::{Interest, minimal_cover};
use gatepost::qos::Qos;
use gatepost::topic::{check_filter, check_publish, covers, matches};
use libfuzzer_sys::fuzz_target;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    filters: Vec<Program<'a>>,
    topic: &'a str,
}

#[derive(Arbitrary, Debug)]
struct Program<'a> {
    filter: &'a str,
    qos: bool,
    fresh: bool,
    refused: bool,
}

fuzz_target!(|input: Input| {
    let topic = input.topic;
    for text in input.filters.iter().map(|program| program.filter).chain([topic]) {
        if let Err(reason) = check_filter(text).and(check_publish(text)) {
            assert!(!reason.is_empty());
        }
    }
    let programs: Vec<&Program> = input
        .filters
        .iter()
        .filter(|program| check_filter(program.filter).is_ok())
        .collect();
    if programs.len() > 30 {
        return;
    }
    for outer in &programs {
        assert!(covers(outer.filter, outer.filter));
        for inner in &programs {
            let (outer, inner) = (outer.filter, inner.filter);
            if covers(outer, inner) {
                assert!(
                    inner == outer || !covers(inner, outer),
                    "{outer} and {inner} cover each other"
                );
                witnesses(inner).for_each(|topic| assert!(matches(outer, &topic), "{outer} > {inner}: {topic}"));
            } else {
                // There is a topic that the inner filter matches and the outer one does not.
                assert!(
                    witnesses(inner).any(|topic| !reference(outer, &topic)),
                    "{outer} does not cover {inner}"
                );
            }
        }
    }
    if check_publish(topic).is_ok() {
        for program in &programs {
            assert_eq!(
                matches(program.filter, topic),
                reference(program.filter, topic),
                "{} {topic}",
                program.filter
            );
        }
    }
    check_minimal_cover(&programs, topic);
});

/// Matches level by level according to MQTT 5.0, 4.7, with AWS IoT's deviation (`a/#` does not match `a`).
fn reference(filter: &str, topic: &str) -> bool {
    fn rest(filter: &[&str], topic: &[&str]) -> bool {
        match (filter, topic) {
            (["#"], [_, ..]) => true,
            ([], []) => true,
            (["+", filter @ ..], [_, topic @ ..]) => rest(filter, topic),
            ([one, filter @ ..], [other, topic @ ..]) => one == other && rest(filter, topic),
            _ => false,
        }
    }
    let wild = filter.starts_with('+') || filter.starts_with('#');
    let levels = |text| -> Vec<&str> { str::split(text, '/').collect() };
    !(wild && topic.starts_with('$')) && rest(&levels(filter), &levels(topic))
}

/// Returns topics that a filter matches: wildcards are replaced by a level that occurs nowhere else, by an empty one, and `#` by one and by
/// two levels.
fn witnesses(filter: &str) -> impl Iterator<Item = String> {
    let fill = |single: &'static str, multi: &'static str| {
        let levels: Vec<&str> = filter
            .split('/')
            .map(|level| match level {
                "+" => single,
                "#" => multi,
                other => other,
            })
            .collect();
        levels.join("/")
    };
    let filled = [
        fill("\u{1F980}", "\u{1F980}"),
        fill("", ""),
        fill("\u{1F980}", "\u{1F980}/\u{1F980}"),
    ];
    let filter = filter.to_owned();
    filled.into_iter().filter(move |topic| reference(&filter, topic))
}

fn qos(program: &Program) -> Qos {
    match program.qos {
        true => Qos::AtLeastOnce,
        false => Qos::AtMostOnce,
    }
}

fn check_minimal_cover(programs: &[&Program], topic: &str) {
    let interests = programs.iter().map(|program| Interest {
        filter: program.filter,
        qos: qos(program),
        needs_retained: program.fresh,
        newest_live_stream: 1,
        newest_stream: 1,
        refused: program.refused,
    });
    let wanted = minimal_cover(interests);
    for (filter, granted) in &wanted {
        let asked = programs.iter().filter(|program| covers(filter, program.filter));
        let highest = asked.map(|program| qos(program)).max();
        assert!(
            programs.iter().any(|program| program.filter == *filter),
            "{filter} was not asked for"
        );
        assert!(Some(granted.qos) <= highest, "{filter}");
    }
    let refused = |filter: &str| {
        programs
            .iter()
            .any(|program| program.filter == filter && program.refused)
    };
    for program in programs {
        let served = wanted.iter().any(|(filter, granted)| {
            let relies = *filter == program.filter || !refused(filter);
            relies && covers(filter, program.filter) && granted.qos >= qos(program)
        });
        assert!(served, "{} at {} is not among {wanted:?}", program.filter, program.qos);
        if check_publish(topic).is_ok() && matches(program.filter, topic) {
            assert!(wanted.keys().any(|filter| matches(filter, topic)));
        }
    }
}
