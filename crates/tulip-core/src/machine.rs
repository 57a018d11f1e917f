//! Machines, as `GET /machines` lists them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{MachineId, lenient, one_line};

/// A machine type with its machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Entry")]
#[non_exhaustive]
pub struct MachineType {
    /// The identifier of the type.
    pub id: String,
    /// The name of the type, for example "CNC".
    pub name: String,
    /// The machines of this type.
    pub machines: Vec<Machine>,
    /// Machines of this type that cannot be named in API calls.
    #[serde(skip_serializing)]
    pub unusable: Vec<UnusableMachine>,
}

/// A listed machine without a usable id: it has none, or one that a path cannot contain.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct UnusableMachine {
    /// Its name, or its listed id if it has no name, on one line; empty if it has neither.
    pub name: String,
    /// What is wrong with it, on one line.
    pub reason: String,
}

/// A listed type.
#[derive(Deserialize)]
struct Entry {
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    id: String,
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    name: String,
    #[serde(default, deserialize_with = "lenient::or_default")]
    machines: Vec<Value>,
}

/// The maximum length of a text shown for an unusable machine, in characters.
const MAX_SHOWN: usize = 100;

impl From<Entry> for MachineType {
    fn from(listed: Entry) -> Self {
        let mut kind = Self::new(listed.id, listed.name);
        for machine in listed.machines {
            match Machine::deserialize(&machine) {
                Ok(machine) => kind.machines.push(machine),
                Err(error) => kind.unusable.push(UnusableMachine::new(&machine, &error)),
            }
        }
        kind
    }
}

impl UnusableMachine {
    fn new(listed: &Value, error: &serde_json::Error) -> Self {
        let texts = ["name", "id"]
            .iter()
            .filter_map(|field| match listed.get(field)? {
                Value::String(text) if !text.trim().is_empty() => Some(one_line(text, MAX_SHOWN)),
                _ => None,
            });
        Self {
            name: texts.into_iter().next().unwrap_or_default(),
            reason: one_line(&error.to_string(), MAX_SHOWN),
        }
    }
}

impl MachineType {
    /// Creates a type without machines.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            machines: Vec::new(),
            unusable: Vec::new(),
        }
    }

    /// Sets the machines.
    #[must_use]
    pub fn with_machines(mut self, machines: Vec<Machine>) -> Self {
        self.machines = machines;
        self
    }
}

/// One machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Machine {
    /// The identifier to start an archive with.
    #[serde(deserialize_with = "lenient::id")]
    pub id: MachineId,
    /// The name that users gave it, for example "Mill 07". Any text.
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    pub name: String,
}

impl Machine {
    /// Creates a machine with a name.
    pub fn new(id: MachineId, name: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_listing_is_read_and_unknown_fields_are_ignored() {
        let json = r#"[ { "id": "t1", "name": "CNC", "color": "red", "machines": [
            { "id": "g56RCoZCtzv7borvp", "name": "Mill 07", "tags": [1] } ] } ]"#;
        let types: Vec<MachineType> = serde_json::from_str(json).unwrap();
        let mill = Machine::new("g56RCoZCtzv7borvp".parse().unwrap(), "Mill 07");
        assert_eq!(
            types,
            [MachineType::new("t1", "CNC").with_machines(vec![mill])]
        );
        let again = serde_json::to_string(&types).unwrap();
        assert_eq!(
            serde_json::from_str::<Vec<MachineType>>(&again).unwrap(),
            types
        );
    }

    #[test]
    fn one_odd_entry_does_not_lose_the_others() {
        let json = r#"[{"id":1,"name":null,"machines":null},
            {"id":"t","machines":[{"id":"a b","name":null},{"id":"c","name":7}]}]"#;
        let types: Vec<MachineType> = serde_json::from_str(json).unwrap();
        let names: Vec<_> = types[1]
            .machines
            .iter()
            .map(|m| (m.id.as_str(), m.name.as_str()))
            .collect();
        assert_eq!(names, [("a b", ""), ("c", "7")]);
    }

    #[test]
    fn a_machine_without_a_usable_id_does_not_lose_the_others() {
        let json = r#"[{"id":"t","machines":[{"id":"a/b","name":"Mill"}, null, {"id":null},
            {"name":"Saw"}, {"id":""}, {"id":"c"}]}]"#;
        let types: Vec<MachineType> = serde_json::from_str(json).unwrap();
        let [kind] = types.as_slice() else {
            panic!("{types:?}")
        };
        assert_eq!(kind.machines, [Machine::new("c".parse().unwrap(), "")]);
        let names: Vec<_> = kind.unusable.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, ["Mill", "", "", "Saw", ""]);
        assert!(kind.unusable[0].reason.contains("'/'"), "{kind:?}");
        assert!(!serde_json::to_string(kind).unwrap().contains("Mill"));
    }

    #[test]
    fn a_type_without_machines_is_empty() {
        let kind: MachineType = serde_json::from_str(r#"{"id":"t"}"#).unwrap();
        assert_eq!(kind, MachineType::new("t", ""));
    }
}
