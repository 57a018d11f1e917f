//! CSV in chunks of any size, compared with the csv crate.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The framer is private, so its source is compiled here.
#[path = "../../crates/tulip-archive/src/csv/mod.rs"]
#[expect(
    dead_code,
    unused_imports,
    reason = "tulip-archive uses and exports all of it"
)]
mod framing;
#[path = "../../crates/tulip-archive/src/csv/oracle.rs"]
mod oracle;

use framing::{FinalLineBreak, Framer, FramingError, FramingRules, RaggedRecords};

// The first three bytes choose the rules and two chunk sizes, which alternate.
fuzz_target!(|input: &[u8]| {
    let [choice, first, second, text @ ..] = input else {
        return;
    };
    let mut rules = FramingRules::new();
    if choice & 1 == 1 {
        rules = rules.with_final_line_break(FinalLineBreak::Optional);
    }
    if choice & 2 == 2 {
        rules = rules.with_ragged(RaggedRecords::Allow);
    }
    let (first, second) = (usize::from(*first) + 1, usize::from(*second) + 1);
    let pieces = oracle::cut(text, |at| {
        let place = at % (first + second);
        place == 0 || place == first
    });
    let found = oracle::found(&pieces, rules);
    assert_eq!(found, oracle::found(&[text], rules), "the chunks matter");
    if let Err(FramingError::JsonRecord { .. }) = found {
        // The csv crate does not look for JSON in a record.
        assert_eq!(rules.ragged, RaggedRecords::Refuse);
        assert!(text.contains(&b'{'));
        return;
    }
    assert_eq!(found, oracle::expected(text, rules));
});
