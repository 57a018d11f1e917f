//! Receipts, from a store that others can write to.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tulip_core::Receipt;

fuzz_target!(|json: &[u8]| {
    let Ok(receipt) = Receipt::from_json(json) else {
        return;
    };
    let written = receipt.to_json().expect("receipts are written");
    assert_eq!(written.last(), Some(&b'\n'));
    let again = Receipt::from_json(&written).expect("what is written is read");
    assert_eq!(again, receipt);
    assert_eq!(again.to_json().expect("receipts are written"), written);
    assert!(
        receipt
            .object
            .key
            .segments()
            .all(|segment| !matches!(segment, "" | "." | ".."))
    );
});
