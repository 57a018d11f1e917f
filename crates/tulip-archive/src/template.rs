//! How objects are named.

use std::fmt;
use std::str::FromStr;

use sha2::{Digest as _, Sha256};
use tulip_core::{JobId, ObjectKey, ObjectKeyError, Timestamp, WorkspaceId};

use crate::Source;
use crate::source::Start;

/// Something that a key can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Field {
    /// `{machine}`: the machine's id.
    Machine,
    /// `{machine_name}`: the machine's name, or its id where it has none.
    MachineName,
    /// `{machine_type}`: the name of the machine's type.
    MachineType,
    /// `{job}`: the job's id.
    Job,
    /// `{workspace}`: the workspace's id, `DEFAULT` where none is set.
    Workspace,
    /// `{date}`: the day on which the export started, in UTC, `YYYY-MM-DD`.
    Date,
    /// `{year}`: its year.
    Year,
    /// `{month}`: its month, two digits.
    Month,
    /// `{day}`: its day of the month, two digits.
    Day,
    /// `{time}`: the time at which the export started, in UTC, `HHMMSS`.
    Time,
}

const FIELDS: [(&str, Field); 10] = [
    ("machine", Field::Machine),
    ("machine_name", Field::MachineName),
    ("machine_type", Field::MachineType),
    ("job", Field::Job),
    ("workspace", Field::Workspace),
    ("date", Field::Date),
    ("year", Field::Year),
    ("month", Field::Month),
    ("day", Field::Day),
    ("time", Field::Time),
];

impl Field {
    fn name(self) -> &'static str {
        let found = FIELDS.iter().find(|(_, field)| *field == self);
        found.map_or("", |(name, _)| name)
    }
}

/// Why a template, or a key made of one, cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TemplateError {
    /// A field is not known.
    #[error(
        "the name template {template:?} has an unknown field {{{field}}}; known are {}",
        known()
    )]
    UnknownField {
        /// The template.
        template: String,
        /// The field.
        field: String,
    },
    /// A brace has no partner.
    #[error(
        "the name template {template:?} has a brace without a partner; write {{{{ or }}}} for a brace in the name"
    )]
    Brace {
        /// The template.
        template: String,
    },
    /// The template cannot become a key, whatever its fields are.
    #[error("the name template {template:?} makes no usable name: {reason}")]
    Unusable {
        /// The template.
        template: String,
        /// What is wrong with the key.
        reason: ObjectKeyError,
    },
    /// The template ends like the name of a receipt, which lies beside every archive.
    #[error(
        "the name template {template:?} names a receipt: names that begin with _ and end in {RECEIPT_SUFFIX} are taken"
    )]
    ReceiptName {
        /// The template.
        template: String,
    },
    /// A field has no value for this export.
    #[error("the name template uses {{{}}}, which is not known for {source_name}{}", field.name(), hint(*field))]
    NoValue {
        /// The field.
        field: Field,
        /// What is being exported.
        source_name: String,
    },
    /// The key made of the values cannot be used.
    #[error("the name for {source_name} cannot be used: {reason}")]
    Key {
        /// What is being exported.
        source_name: String,
        /// What is wrong with the key.
        reason: ObjectKeyError,
    },
}

fn known() -> String {
    FIELDS.map(|(name, _)| format!("{{{name}}}")).join(", ")
}

fn hint(field: Field) -> &'static str {
    match field {
        Field::Machine | Field::MachineName | Field::MachineType => {
            "; a job does not tell its machine: use {job}, or export by machine"
        }
        _ => "",
    }
}

/// A template for object keys, such as `{machine}/{job}.csv`.
///
/// A value stays within its segment of the key, and different values give different keys:
/// - Characters that could separate, climb, hide or confuse are percent-encoded.
/// - A value that makes its segment too long is cut and ends in `~` and eight digits of its hash.
/// - No value can make a key that is the key of a receipt.
///
/// `{{` and `}}` stand for braces.
///
/// ```
/// use tulip_archive::KeyTemplate;
/// let template: KeyTemplate = "tulip/{date}/{machine_name}.csv".parse()?;
/// assert!("{serial}.csv".parse::<KeyTemplate>().unwrap_err().to_string().contains("{machine}"));
/// # Ok::<(), tulip_archive::TemplateError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyTemplate {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Field(Field),
}

/// The values of one export.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) source: &'a Source,
    pub(crate) job: Option<&'a JobId>,
    pub(crate) workspace: Option<&'a WorkspaceId>,
    pub(crate) began: Timestamp,
}

impl KeyTemplate {
    /// The template where none is set: `{machine}/{job}.csv`, or `{job}.csv` where the export is
    /// by job and the machine is not known.
    #[must_use]
    pub fn default_for(source: &Source) -> Self {
        let job = [Part::Field(Field::Job), Part::Text(".csv".to_owned())];
        let folder = [Part::Field(Field::Machine), Part::Text("/".to_owned())];
        let parts = match source.known_machine() {
            Some(_) => folder.into_iter().chain(job).collect(),
            None => job.into(),
        };
        Self { parts }
    }

    /// Parses a template.
    ///
    /// # Errors
    /// [`TemplateError`] for an unknown field, a lone brace, or a text that can never be a key.
    pub fn parse(template: &str) -> Result<Self, TemplateError> {
        let mut parts = Vec::new();
        let mut text = String::new();
        let mut rest = template;
        let lone = || TemplateError::Brace {
            template: template.to_owned(),
        };
        while let Some(at) = rest.find(['{', '}']) {
            text.push_str(&rest[..at]);
            let brace = &rest[at..=at];
            rest = &rest[at + 1..];
            if let Some(after) = rest.strip_prefix(brace) {
                text.push_str(brace);
                rest = after;
                continue;
            }
            if brace == "}" {
                return Err(lone());
            }
            let (name, after) = rest.split_once('}').ok_or_else(lone)?;
            let field = FIELDS.iter().find(|(known, _)| *known == name);
            let (_, field) = field.ok_or_else(|| TemplateError::UnknownField {
                template: template.to_owned(),
                field: name.to_owned(),
            })?;
            parts.push(Part::Text(std::mem::take(&mut text)));
            parts.push(Part::Field(*field));
            rest = after;
        }
        text.push_str(rest);
        parts.push(Part::Text(text));
        let parsed = Self { parts };
        let sample = parsed.fill(|_| Some("x".to_owned()));
        match ObjectKey::new(&sample.unwrap_or_default()) {
            Ok(key) if key.segments().last().is_some_and(names_a_receipt) => {
                Err(TemplateError::ReceiptName {
                    template: template.to_owned(),
                })
            }
            Ok(_) => Ok(parsed),
            Err(reason) => Err(TemplateError::Unusable {
                template: template.to_owned(),
                reason,
            }),
        }
    }

    /// Whether the template has this field.
    #[must_use]
    pub fn uses(&self, field: Field) -> bool {
        self.parts.contains(&Part::Field(field))
    }

    /// The key that an export of `source` starting now would get, to find keys that cannot be used
    /// or that collide before anything is started. A workspace does not tell exports apart, so its
    /// field is filled in as `DEFAULT`; a job that is not started yet stands as `JOB`.
    ///
    /// # Errors
    /// [`TemplateError`] when a field has no value, or the key cannot be used.
    pub fn preview(&self, source: &Source) -> Result<ObjectKey, TemplateError> {
        self.preview_in(source, None)
    }

    /// The same for exports of this workspace.
    pub(crate) fn preview_in(
        &self,
        source: &Source,
        workspace: Option<&WorkspaceId>,
    ) -> Result<ObjectKey, TemplateError> {
        let unstarted = match &source.start {
            Start::Machine(_) => "JOB".parse().ok(),
            Start::Job(_) => None,
        };
        self.render(Values {
            source,
            job: source.known_job().or(unstarted.as_ref()),
            workspace,
            began: Timestamp::now(),
        })
    }

    /// The text of the key, one segment after the other.
    fn fill(&self, value: impl Fn(Field) -> Option<String>) -> Result<String, Field> {
        let mut segments = vec![Segment::default()];
        for part in &self.parts {
            match part {
                Part::Text(text) => {
                    for (at, literal) in text.split('/').enumerate() {
                        if at > 0 {
                            segments.push(Segment::default());
                        }
                        if let Some(segment) = segments.last_mut() {
                            segment.push_literal(literal);
                        }
                    }
                }
                Part::Field(field) => {
                    let value = value(*field).ok_or(*field)?;
                    if let Some(segment) = segments.last_mut() {
                        segment.push_value(&value);
                    }
                }
            }
        }
        if let Some(last) = segments.last_mut() {
            last.keep_off_receipts();
        }
        let segments: Vec<String> = segments.into_iter().map(Segment::finish).collect();
        Ok(segments.join("/"))
    }

    pub(crate) fn render(&self, values: Values<'_>) -> Result<ObjectKey, TemplateError> {
        let source_name = || values.source.to_string();
        let text =
            self.fill(|field| values.get(field))
                .map_err(|field| TemplateError::NoValue {
                    field,
                    source_name: source_name(),
                })?;
        ObjectKey::new(&text).map_err(|reason| TemplateError::Key {
            source_name: source_name(),
            reason,
        })
    }
}

impl Values<'_> {
    fn get(&self, field: Field) -> Option<String> {
        let machine = self.source.machine.as_ref().map(ToString::to_string);
        let date = self.began.date();
        let piece = |range| date.get(range).map(str::to_owned);
        match field {
            Field::Machine => machine,
            Field::MachineName => self.source.machine_name().map(str::to_owned).or(machine),
            Field::MachineType => self.source.machine_type.clone(),
            Field::Job => self.job.map(ToString::to_string),
            Field::Workspace => {
                let set = self.workspace.map(ToString::to_string);
                Some(set.unwrap_or_else(|| "DEFAULT".to_owned()))
            }
            Field::Date => Some(date),
            Field::Year => piece(0..4),
            Field::Month => piece(5..7),
            Field::Day => piece(8..10),
            Field::Time => Some(self.began.compact_time()),
        }
    }
}

/// How the name of a receipt ends; it begins with `_`.
const RECEIPT_SUFFIX: &str = ".receipt.json";

/// Whether the last segment of a key is the name of a receipt, on stores that ignore case too.
fn names_a_receipt(segment: &str) -> bool {
    segment.starts_with('_')
        && segment
            .len()
            .checked_sub(RECEIPT_SUFFIX.len())
            .and_then(|at| segment.get(at..))
            .is_some_and(|end| end.eq_ignore_ascii_case(RECEIPT_SUFFIX))
}

/// The longest segment of a key in bytes, as [`ObjectKey`] allows it.
const MAX_SEGMENT: usize = 200;

/// What stands behind a value that was cut: `~` and eight hexadecimal digits. No other value has a
/// `~`, which is encoded.
const HASH_MARK: char = '~';
const HASH_BYTES: usize = 4;
const MARK_LENGTH: usize = 1 + 2 * HASH_BYTES;

/// One segment of a key while it is put together.
#[derive(Debug, Default)]
struct Segment {
    pieces: Vec<Piece>,
}

#[derive(Debug)]
enum Piece {
    Literal(String),
    /// A value, and how it is written.
    Value {
        value: String,
        encoded: String,
    },
}

impl Piece {
    fn text(&self) -> &str {
        match self {
            Self::Literal(text) => text,
            Self::Value { encoded, .. } => encoded,
        }
    }
}

impl Segment {
    fn is_empty(&self) -> bool {
        self.pieces.iter().all(|piece| piece.text().is_empty())
    }

    fn push_literal(&mut self, text: &str) {
        self.pieces.push(Piece::Literal(text.to_owned()));
    }

    fn push_value(&mut self, value: &str) {
        let encoded = encode(value, self.is_empty());
        self.pieces.push(Piece::Value {
            value: value.to_owned(),
            encoded,
        });
    }

    fn joined(&self) -> String {
        self.pieces.iter().map(Piece::text).collect()
    }

    /// Encodes one more character of a value where the segment would be the name of a receipt. A
    /// segment of literals alone cannot be one: its template is refused.
    fn keep_off_receipts(&mut self) {
        let joined = self.joined();
        if !names_a_receipt(&joined) {
            return;
        }
        let mut behind = 0;
        for piece in self.pieces.iter_mut().rev() {
            if behind >= RECEIPT_SUFFIX.len() {
                return;
            }
            behind += piece.text().len();
            if let Piece::Value { encoded, .. } = piece
                && let Some(last) = encoded.pop()
            {
                push_encoded(encoded, last);
                return;
            }
        }
    }

    /// The text. Where it is too long, the longest values are cut to the same length, so that
    /// it fits; where its literals alone are too long, it stays too long.
    fn finish(self) -> String {
        let joined = self.joined();
        if joined.len() <= MAX_SEGMENT {
            return joined;
        }
        let length_with = |most: usize| -> usize {
            let lengths = self.pieces.iter().map(|piece| match piece {
                Piece::Literal(text) => text.len(),
                Piece::Value { encoded, .. } => encoded.len().min(most),
            });
            lengths.sum()
        };
        let fitting = (MARK_LENGTH..MAX_SEGMENT)
            .rev()
            .find(|most| length_with(*most) <= MAX_SEGMENT);
        let Some(most) = fitting else {
            return joined;
        };
        let shortened = self.pieces.iter().map(|piece| match piece {
            Piece::Value { value, encoded } if encoded.len() > most => {
                shorten(value, encoded, most)
            }
            other => other.text().to_owned(),
        });
        shortened.collect()
    }
}

/// The beginning of an encoded value and a hash of the whole value, in at most `most` bytes.
fn shorten(value: &str, encoded: &str, most: usize) -> String {
    let mut end = most.saturating_sub(MARK_LENGTH);
    // Neither a character nor an escape (`%E9`) is cut in two.
    while !encoded.is_char_boundary(end) {
        end -= 1;
    }
    let kept = &encoded[..end];
    let kept = match kept.rfind('%') {
        Some(escape) if kept.len() - escape < 3 => &kept[..escape],
        _ => kept,
    };
    let mut out = format!("{kept}{HASH_MARK}");
    for byte in Sha256::digest(value.as_bytes()).iter().take(HASH_BYTES) {
        out.push_str(&format!("{byte:02x}"));
    }
    out
}

/// Writes a value so that it is one plain segment, or a piece of one. At the start of a segment a
/// value does not begin with `_`: loaders skip such files, as they skip hidden ones.
fn encode(value: &str, at_start: bool) -> String {
    let mut out = String::with_capacity(value.len());
    for (at, c) in value.char_indices() {
        let hidden = at == 0 && (c == '.' || (c == '_' && at_start));
        let plain =
            c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ' | '(' | ')' | '+' | ',');
        if plain && !hidden {
            out.push(c);
        } else {
            push_encoded(&mut out, c);
        }
    }
    out
}

fn push_encoded(out: &mut String, c: char) {
    let mut bytes = [0; 4];
    for byte in c.encode_utf8(&mut bytes).bytes() {
        out.push_str(&format!("%{byte:02X}"));
    }
}

impl FromStr for KeyTemplate {
    type Err = TemplateError;
    fn from_str(template: &str) -> Result<Self, TemplateError> {
        Self::parse(template)
    }
}

impl fmt::Display for KeyTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.parts.iter().try_for_each(|part| match part {
            Part::Text(text) => f.write_str(&text.replace('{', "{{").replace('}', "}}")),
            Part::Field(field) => write!(f, "{{{}}}", field.name()),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tulip_core::Machine;

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
            began: "2026-11-03T04:05:06Z".parse().unwrap(),
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
        assert!(message("{machine").contains("without a partner"));
        assert!(message("a}b").contains("without a partner"));
        assert!(message("../{job}.csv").contains("climbs out"));
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
        // What is short enough stays as it is, also beside a long value.
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
            // Mostly the same text, so that what is kept of both is the same.
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
}
