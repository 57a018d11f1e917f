//! The columns and vocabulary of each kind of machine.

/// A kind of machine, which determines the columns of an archive and their content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MachineKind {
    /// Milling and turning.
    Cnc,
    /// Injection molding.
    Molding,
    /// Laser cutting.
    Laser,
}

impl MachineKind {
    /// All kinds, in the order in which an emulator assigns them to its machines.
    pub const ALL: [Self; 3] = [Self::Cnc, Self::Molding, Self::Laser];

    /// The name of the machine type, as `GET /machines` lists it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cnc => "CNC",
            Self::Molding => "Injection Molding",
            Self::Laser => "Laser Cutter",
        }
    }

    pub(crate) fn schema(self) -> &'static Schema {
        match self {
            Self::Cnc => &CNC,
            Self::Molding => &MOLDING,
            Self::Laser => &LASER,
        }
    }
}

/// The columns and vocabulary of one kind.
#[derive(Debug)]
pub(crate) struct Schema {
    /// The name of the rate column, which differs by type.
    pub(crate) rate: &'static str,
    /// The most parts per hour.
    pub(crate) top_rate: u32,
    pub(crate) programs: &'static [&'static str],
    pub(crate) reasons: &'static [&'static str],
    pub(crate) custom: &'static [Custom],
}

/// A custom field.
#[derive(Debug)]
pub(crate) enum Custom {
    /// A number with one decimal, in `low..high`.
    Number {
        name: &'static str,
        low: u32,
        high: u32,
    },
    /// One of some texts.
    Text {
        name: &'static str,
        values: &'static [&'static str],
    },
}

impl Custom {
    pub(crate) const fn name(&self) -> &'static str {
        match self {
            Self::Number { name, .. } | Self::Text { name, .. } => name,
        }
    }
}

/// The first columns of every archive; the rate and the custom fields follow.
pub(crate) const COMMON: [&str; 8] = [
    "State",
    "Start Time",
    "End Time",
    "Duration",
    "Downtime Reason",
    "Program",
    "Part Count",
    "Defect Count",
];

static CNC: Schema = Schema {
    rate: "Parts Per Hour",
    top_rate: 90,
    programs: &[
        "O1001",
        "O1002 Flansch",
        "O2417 rev B",
        "HOUSING_7",
        "O9000, probing",
    ],
    reasons: &[
        "Tool change",
        "Tool broken, insert replaced",
        "Werkzeug verschlissen – Kühlmittel prüfen",
        "Waiting for material",
        "Operator note: \"spindle noise\", see shift log",
        "Chip jam\nconveyor cleared by hand",
        "刀具更换",
        "Lunch 🥪",
    ],
    custom: &[
        Custom::Number {
            name: "Spindle Load (%)",
            low: 5,
            high: 98,
        },
        Custom::Text {
            name: "Tool",
            values: &[
                "T01 6 mm end mill",
                "T04 Bohrer Ø 8,5",
                "T12 face mill 2\"",
                "T20 probe",
            ],
        },
    ],
};

static MOLDING: Schema = Schema {
    rate: "Ideal Run Rate",
    top_rate: 600,
    programs: &["Cap 28mm", "Gehäuse oben", "Clip, left", "Clip, right"],
    reasons: &[
        "Mold change",
        "Short shot, pressure raised",
        "Düse verstopft",
        "Material dryer:\r\n1. empty\r\n2. refilled",
        "\"Flash\" on cavity 3",
        "材料待ち",
        "Robot fault 🤖, reset",
    ],
    custom: &[
        Custom::Number {
            name: "Cavity Pressure (bar)",
            low: 280,
            high: 920,
        },
        Custom::Text {
            name: "Mold",
            values: &["M-0031", "M-0044/2", "M-0107 (Überholt)"],
        },
        Custom::Text {
            name: "Resin Lot",
            values: &["PA66-GF30 0912", "PP, natural 7741", "ABS 2208"],
        },
    ],
};

static LASER: Schema = Schema {
    rate: "Parts Per Hour",
    top_rate: 240,
    programs: &["nest_0142", "nest_0143", "Blech 3mm, Rest", "bracket_v2"],
    reasons: &[
        "Sheet change",
        "Lens cleaning",
        "Gas low, bottle swapped",
        "Blech verkantet – Düsenhöhe",
        "Collision \"head 1\"\nreferenced again",
        "等待上料",
    ],
    custom: &[Custom::Text {
        name: "Assist Gas",
        values: &["N₂", "O₂", "Air, dry"],
    }],
};
