use proptest::prelude::*;

use super::*;

fn machine(id: &str, name: &str) -> Machine {
    Machine::new(id.parse().unwrap(), name)
}

fn machine_type(id: &str, name: &str, machines: &[(&str, &str)]) -> MachineType {
    let machines = machines.iter().map(|(id, name)| machine(id, name));
    MachineType::new(id, name).with_machines(machines.collect())
}

fn listing() -> [MachineType; 2] {
    [
        machine_type(
            "t1",
            "CNC",
            &[("m1", "Mill 1"), ("m2", "Mill 2"), ("m3", "Saw")],
        ),
        machine_type("t2", "Press", &[("p1", "Saw"), ("p2", "Bären")]),
    ]
}

fn ids(selection: Selection) -> Vec<String> {
    let selected = selection.select(&listing()).unwrap();
    assert!(selected.not_found.is_empty());
    ids_of(&selected)
}

fn ids_of(selected: &Selected) -> Vec<String> {
    let ids = selected.sources.iter().filter_map(Source::known_machine);
    ids.map(ToString::to_string).collect()
}

fn glob(text: &str) -> Glob {
    text.parse().unwrap()
}

#[test]
fn machines_are_named_by_id_or_by_a_name_that_only_one_has() {
    assert_eq!(ids(Selection::all()), ["m1", "m2", "m3", "p1", "p2"]);
    let named = Selection::all()
        .machine("p1")
        .machine("Mill 1")
        .machine("m1");
    assert_eq!(ids(named), ["p1", "m1"]);
    // The same letters in another Unicode form.
    assert_eq!(ids(Selection::all().machine("Ba\u{308}ren")), ["p2"]);
    assert_eq!(ids(Selection::all().machine(" Mill 2 ")), ["m2"]);
}

#[test]
fn an_ambiguous_name_lists_the_candidates_with_their_ids() {
    let error = Selection::all()
        .machine("Saw")
        .select(&listing())
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "2 machines are named \"Saw\": m3 (type \"CNC\"), p1 (type \"Press\")"
    );
}

#[test]
fn an_id_comes_before_a_name() {
    let types = [machine_type("t", "T", &[("a", "b"), ("b", "a")])];
    let selected = Selection::all().machine("a").select(&types).unwrap();
    assert_eq!(ids_of(&selected), ["a"]);
}

#[test]
fn ids_that_differ_in_case_are_different_machines() {
    let types = [machine_type("t", "T", &[("aB", "x"), ("Ab", "y")])];
    let selected = Selection::all().machine("Ab").select(&types).unwrap();
    assert_eq!(ids_of(&selected), ["Ab"]);
}

#[test]
fn what_no_machine_is_called_is_told_and_the_others_are_selected() {
    let selection = Selection::all().machine("gone").machine("m2");
    let selected = selection.select(&listing()).unwrap();
    assert_eq!(ids_of(&selected), ["m2"]);
    assert_eq!(selected.not_found, ["gone"]);
}

#[test]
fn when_none_is_found_the_error_says_what_was_looked_for() {
    let say = |selection: Selection| selection.select(&listing()).unwrap_err().to_string();
    assert_eq!(
        say(Selection::all().machine("gone").machine("lost")),
        "no machine has the id or name \"gone\", \"lost\""
    );
    assert_eq!(
        say(Selection::all()
            .include(glob("Lathe*"))
            .machine_type(glob("CNC"))),
        "no machine is selected by: all machines, of type \"CNC\", matching \"Lathe*\" (of 5 \
         machines of the instance)"
    );
    let many = (0..9).fold(Selection::all(), |some, n| some.machine(format!("x{n}")));
    assert!(say(many).ends_with("\"x4\" and 4 more"));
}

#[test]
fn globs_are_over_name_id_and_type() {
    let include = |text| ids(Selection::all().include(glob(text)));
    assert_eq!(include("Mill*"), ["m1", "m2"]);
    assert_eq!(include("p?"), ["p1", "p2"]);
    assert_eq!(include("Press"), ["p1", "p2"]);
    assert_eq!(include("t[1]"), ["m1", "m2", "m3"]);
    let some = Selection::all().include(glob("Mill*")).include(glob("Saw"));
    assert_eq!(ids(some.clone()), ["m1", "m2", "m3", "p1"]);
    assert_eq!(ids(some.clone().exclude(glob("m2"))), ["m1", "m3", "p1"]);
    assert_eq!(ids(some.exclude(glob("CNC"))), ["p1"]);
}

#[test]
fn a_type_is_its_name_or_id_and_narrows_what_is_named() {
    assert_eq!(ids(Selection::all().machine_type(glob("t2"))), ["p1", "p2"]);
    assert_eq!(
        ids(Selection::all().machine_type(glob("C*"))),
        ["m1", "m2", "m3"]
    );
    let named = Selection::all().machine("m1").machine("p1");
    assert_eq!(ids(named.machine_type(glob("Press"))), ["p1"]);
}

#[test]
fn an_instance_without_machines_has_none_to_select() {
    assert!(Selection::all().select(&[]).unwrap().sources.is_empty());
    assert!(Selection::all().machine("m1").select(&[]).is_err());
}

#[test]
fn ten_thousand_machines_of_one_name_are_ambiguous_and_all_selected_by_a_glob() {
    let machines = (0..10_000)
        .map(|n| machine(&format!("m{n}"), "Mill"))
        .collect();
    let types = [MachineType::new("t", "CNC").with_machines(machines)];
    let error = Selection::all().machine("Mill").select(&types).unwrap_err();
    assert!(error.to_string().ends_with("and 9995 more"), "{error}");
    let selected = Selection::all()
        .include(glob("Mill"))
        .select(&types)
        .unwrap();
    assert_eq!(selected.sources.len(), 10_000);
}

#[test]
fn a_glob_that_does_not_parse_says_where() {
    let error = "Mill[".parse::<Glob>().unwrap_err();
    assert!(
        error.to_string().starts_with("\"Mill[\" is no glob: "),
        "{error}"
    );
}

#[test]
fn lists_leave_out_comments_and_blank_lines() {
    let list = "\u{feff}Mill 1\r\n\r\n  # a comment\r\n#m9\nMill #7\n\tm2 \n";
    assert_eq!(parse_machine_list(list), ["Mill 1", "Mill #7", "m2"]);
    assert!(parse_machine_list("\u{feff}# nothing\r\n").is_empty());
}

proptest! {
    /// Nothing is selected twice, nothing that is excluded, and nothing that is not listed.
    #[test]
    fn what_is_selected_is_listed_once_and_not_excluded(
        names in proptest::collection::vec("[ab]{1,2}", 1..20),
        include in "[ab*?]{0,3}",
        exclude in "[ab*?]{1,3}",
    ) {
        let machines = names.iter().enumerate();
        let machines = machines.map(|(n, name)| machine(&format!("id{n}"), name)).collect();
        let types = [MachineType::new("t", "T").with_machines(machines)];
        let (Ok(include), Ok(exclude)) = (include.parse::<Glob>(), exclude.parse::<Glob>()) else {
            return Ok(());
        };
        let selection = Selection::all().include(include.clone()).exclude(exclude.clone());
        let Ok(selected) = selection.select(&types) else {
            return Ok(());
        };
        let unique: HashSet<_> = ids_of(&selected).into_iter().collect();
        prop_assert_eq!(unique.len(), selected.sources.len());
        for (n, name) in names.iter().enumerate() {
            let id = format!("id{n}");
            let matches = |glob: &Glob| [name, &id, "t", "T"].iter().any(|text| glob.matches(text));
            prop_assert_eq!(unique.contains(&id), matches(&include) && !matches(&exclude));
        }
    }
}
