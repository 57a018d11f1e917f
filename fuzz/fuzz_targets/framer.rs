//! CSV in chunks of any size, framed as the csv crate reads it.

#![no_main]

use libfuzzer_sys::fuzz_target;

// The framer is private, so that its source is compiled here.
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

// Three bytes choose the rules and the sizes of the chunks, which take turns.
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
        // Of what a record's text is the csv crate knows nothing.
        assert_eq!(rules.ragged, RaggedRecords::Refuse);
        assert!(text.contains(&b'{'));
        return;
    }
    assert_eq!(found, oracle::expected(text, rules));
});
