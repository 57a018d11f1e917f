//! Tests of templates, their keys, and refusals.

use proptest::prelude::*;
use tulip_core::{JobId, Machine, ObjectKey};

use super::segment::{MAX_SEGMENT, encode, names_a_receipt};
use super::*;
use crate::Source;

fn named(name: &str) -> Source {
    let machine = Machine::new("g56RCo".parse().unwrap(), name);
    Source::machine(machine.id.clone())
        .of_machine(&machine)
        .of_type("CNC")
}

fn key(template: &str, source: &Source) -> Result<String, TemplateError> {
    let job: JobId = "evsLrb".parse().unwrap();
    let values = Values {
        source,
        job: Some(&job),
        workspace: None,
        dated: "2026-11-03T04:05:06Z".parse().unwrap(),
    };
    Ok(KeyTemplate::parse(template)?.render(values)?.to_string())
}

#[test]
fn fields_are_filled_in() {
    let all = "{workspace}/{machine_type}/{machine}/{machine_name}/{year}-{month}-{day}/{date}T{time}/{job}{{}}.csv";
    assert_eq!(
        key(all, &named("Mill 07")).unwrap(),
        "DEFAULT/CNC/g56RCo/Mill 07/2026-11-03/2026-11-03T040506/evsLrb{}.csv"
    );
    assert_eq!(KeyTemplate::parse(all).unwrap().to_string(), all);
    assert_eq!(
        key("{machine_name}.csv", &named(" ")).unwrap(),
        "g56RCo.csv"
    );
}

#[test]
fn the_default_leaves_out_a_machine_that_is_not_known() {
    let job = Source::job("evsLrb".parse().unwrap());
    assert_eq!(KeyTemplate::default_for(&job).to_string(), "{job}.csv");
    assert_eq!(
        KeyTemplate::default_for(&named("x")).to_string(),
        "{machine}/{job}.csv"
    );
    let error = key("{machine}/{job}.csv", &job).unwrap_err().to_string();
    assert!(
        error.contains("{machine}, which is not known for job evsLrb"),
        "{error}"
    );
}

#[test]
fn wrong_templates_say_why() {
    let message = |template: &str| KeyTemplate::parse(template).unwrap_err().to_string();
    assert!(message("{serial}.csv").contains("unknown field {serial}; known are {machine}, "));
    assert!(message("{machine").contains("an unmatched brace"));
    assert!(message("a}b").contains("an unmatched brace"));
    assert!(message("../{job}.csv").contains("segment"));
    assert!(message("/data/{job}.csv").contains("absolute"));
    assert!(message("").contains("empty"));
    assert!(KeyTemplate::parse(&"x".repeat(300)).is_err());
    assert!(message("{date}/_latest.receipt.json").contains("names a receipt"));
    assert!(message("_{machine}.Receipt.JSON").contains("names a receipt"));
}

#[test]
fn a_value_that_is_too_long_is_cut_and_gets_a_hash() {
    let long = format!("Presse {}", "長".repeat(70));
    let cut = key("{date}/{machine_name}.csv", &named(&long)).unwrap();
    assert!(cut.starts_with("2026-11-03/Presse 長長"), "{cut}");
    let (_, mark) = cut.rsplit_once('~').unwrap();
    assert_eq!(mark.len(), "xxxxxxxx.csv".len());
    assert!(cut.len() <= "2026-11-03/".len() + MAX_SEGMENT);
    // A short value stays as it is, even next to a long one.
    let both = key("{machine_type}-{machine_name}.csv", &named(&long)).unwrap();
    assert!(both.starts_with("CNC-Presse 長"), "{both}");
    // An escape is not cut in two.
    let escaped = key("{machine_name}.csv", &named(&"/".repeat(200))).unwrap();
    let (kept, _) = escaped.split_once('~').unwrap();
    assert_eq!(kept.replace("%2F", ""), "");
}

#[test]
fn literals_that_are_too_long_are_refused_and_not_cut() {
    let template = format!("{}{{machine_name}}", "x".repeat(195));
    let refused = key(&template, &named("Mill 07"));
    assert!(
        matches!(refused, Err(TemplateError::Key { .. })),
        "{refused:?}"
    );
}

#[test]
fn the_longest_segment_is_that_of_keys() {
    assert!(ObjectKey::new(&"x".repeat(MAX_SEGMENT)).is_ok());
    assert!(ObjectKey::new(&"x".repeat(MAX_SEGMENT + 1)).is_err());
}

#[test]
fn no_value_makes_the_name_of_a_receipt_or_of_a_skipped_file() {
    for (template, name, wanted) in [
        ("{machine_name}", "_a.receipt.json", "%5Fa.receipt.json"),
        ("{machine_name}.receipt.json", "_a", "%5Fa.receipt.json"),
        ("_{machine_name}", "a.receipt.json", "_a.receipt.jso%6E"),
        ("_{machine_name}.json", "a.Receipt", "_a.Receip%74.json"),
        ("{machine_name}", "A.receipt.json", "A.receipt.json"),
        ("{machine_name}/x.csv", "_a", "%5Fa/x.csv"),
        ("{job}_{machine_name}", "_a", "evsLrb__a"),
    ] {
        assert_eq!(key(template, &named(name)).unwrap(), wanted, "{template}");
    }
}

#[test]
fn a_preview_shows_whether_a_key_can_be_used_before_a_job_is_started() {
    let template = KeyTemplate::parse("{machine_name}/{job}.csv").unwrap();
    assert_eq!(
        template.preview(&named("Mill 07")).unwrap().as_str(),
        "Mill 07/JOB.csv"
    );
    let job = Source::job("evsLrb".parse().unwrap());
    assert!(template.preview(&job).is_err());
}

proptest! {
    #[test]
    fn no_value_steers_a_key_out_of_its_place(name in "[./\\\\%~\\x00-\\x1f a-z日😀]{1,20}") {
        match key("in/{machine_name}/x.csv", &named(&name)) {
            Ok(key) => {
                let segments: Vec<_> = key.split('/').collect();
                prop_assert_eq!(segments.len(), 3, "{}", key);
                prop_assert_eq!((segments[0], segments[2]), ("in", "x.csv"));
                prop_assert!(!segments[1].starts_with('.'));
            }
            Err(error) => {
                let refused = matches!(error, TemplateError::Key { .. });
                prop_assert!(refused, "{}", error);
            }
        }
    }

    #[test]
    fn different_names_give_different_keys(a in "[./%A-F0-9 ]{1,8}", b in "[./%A-F0-9 ]{1,8}") {
        prop_assume!(a != b && !a.trim().is_empty() && !b.trim().is_empty());
        prop_assert_ne!(encode(&a, true), encode(&b, true));
    }

    #[test]
    fn different_long_names_give_different_keys_that_can_be_used(
        a in "[./%_~A-F0-9 長é]{60,260}",
        b in "[./%_~A-F0-9 長é]{60,260}",
        same in 0_usize..250,
    ) {
        // Mostly the same text, so that the kept part of both is the same.
        let at = a.char_indices().nth(same).map_or(a.len(), |(at, _)| at);
        let b = format!("{}{b}", &a[..at]);
        prop_assume!(a != b && !a.trim().is_empty() && !b.trim().is_empty());
        for template in ["{machine_name}.csv", "_{machine_name}", "in/{machine_type}{machine_name}"] {
            let (a, b) = (key(template, &named(&a)).unwrap(), key(template, &named(&b)).unwrap());
            prop_assert_ne!(&a, &b);
            let last = a.rsplit('/').next().unwrap_or_default();
            prop_assert!(last.len() <= MAX_SEGMENT && !names_a_receipt(last), "{}", a);
        }
    }

    #[test]
    fn any_template_is_taken_or_refused_without_panic(template in any::<String>()) {
        let _ = KeyTemplate::parse(&template);
    }
}
