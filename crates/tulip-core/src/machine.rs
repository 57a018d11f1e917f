//! Machines, as `GET /machines` lists them.

use serde::{Deserialize, Serialize};

use crate::{MachineId, lenient};

/// A machine type with its machines.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct MachineType {
    /// The identifier of the type.
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    pub id: String,
    /// The name that people gave it, for example "CNC".
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    pub name: String,
    /// The machines of this type.
    #[serde(default, deserialize_with = "lenient::or_default")]
    pub machines: Vec<Machine>,
}

impl MachineType {
    /// A type without machines.
    pub fn new(id: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            name: name.into(),
            machines: Vec::new(),
        }
    }

    /// The same type with `machines`.
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
    /// The identifier that starts an archive.
    #[serde(deserialize_with = "lenient::id")]
    pub id: MachineId,
    /// The name that people gave it, for example "Mill 07". Any text.
    #[serde(default, deserialize_with = "lenient::text_or_empty")]
    pub name: String,
}

impl Machine {
    /// A machine with its name.
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
    fn a_type_without_machines_is_empty() {
        let kind: MachineType = serde_json::from_str(r#"{"id":"t"}"#).unwrap();
        assert_eq!(kind, MachineType::new("t", ""));
    }
}
