//! Receipts of stored archives.

use serde::{Deserialize, Serialize};

use crate::{Checksum, JobId, MachineId, ObjectKey, Timestamp};

/// The receipt of one stored archive, written beside the object, after it.
///
/// Contains no URL and no secret. On reading, unknown fields are ignored, and fields that an
/// earlier version did not write are `None`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Receipt {
    /// The job that made the archive.
    pub job: JobId,
    /// The machine, if known: an export by job id does not learn it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine: Option<MachineId>,
    /// The machine's name when it was exported, if known. Any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_name: Option<String>,
    /// The name of the machine's type, if known. Any text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub machine_type: Option<String>,
    /// The object that was written.
    pub object: ReceiptObject,
    /// The size of the CSV in bytes.
    pub bytes: u64,
    /// The number of records in the CSV, without the header.
    pub records: u64,
    /// The names in the header, in order. Empty if the CSV is empty.
    pub columns: Vec<String>,
    /// The checksum of the CSV's bytes, computed during the transfer.
    pub checksum: Checksum,
    /// The `ETag` that the asset's host sent, verbatim.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source_etag: Option<String>,
    /// When the export started.
    pub started: Timestamp,
    /// When the object was committed.
    pub finished: Timestamp,
    /// The number of times the download was started; 1 if nothing went wrong.
    pub attempts: u32,
    /// The program that wrote the object.
    pub tool: Tool,
}

/// The object that a receipt describes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ReceiptObject {
    /// Its key below the sink's root.
    pub key: ObjectKey,
    /// The scheme of the sink, for example `file`. The sink's address is not recorded: the receipt
    /// is stored beside the object.
    pub scheme: String,
    /// The `ETag` that the sink gave it, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub etag: Option<String>,
}

impl ReceiptObject {
    /// Creates an object from its key and scheme.
    pub fn new(key: ObjectKey, scheme: impl Into<String>) -> Self {
        Self {
            key,
            scheme: scheme.into(),
            etag: None,
        }
    }

    /// Sets the sink's `ETag`.
    #[must_use]
    pub fn with_etag(mut self, etag: Option<String>) -> Self {
        self.etag = etag;
        self
    }
}

/// A program and its version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Tool {
    /// The program's name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Tool {
    /// Creates a tool from its name and version.
    pub fn new(name: impl Into<String>, version: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            version: version.into(),
        }
    }
}

impl Receipt {
    /// Creates a receipt for an empty object written at `at`, in one attempt. Set the fields that
    /// differ.
    ///
    /// ```
    /// use tulip_core::{Checksum, ChecksumAlgorithm, ObjectKey, Receipt, ReceiptObject, Timestamp, Tool};
    ///
    /// let object = ReceiptObject::new(ObjectKey::new("mill/07.csv")?, "file");
    /// let checksum = Checksum::from_bytes(ChecksumAlgorithm::Crc64Nvme, &[0; 8])?;
    /// let (now, tool) = (Timestamp::now(), Tool::new("acme-export", "2.1"));
    /// let mut receipt = Receipt::new("evsLrb".parse()?, object, checksum, now, tool);
    /// receipt.machine_name = Some("Mill 07".to_owned());
    /// assert_eq!(Receipt::from_json(&receipt.to_json()?)?, receipt);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn new(
        job: JobId,
        object: ReceiptObject,
        checksum: Checksum,
        at: Timestamp,
        tool: Tool,
    ) -> Self {
        Self {
            job,
            machine: None,
            machine_name: None,
            machine_type: None,
            object,
            bytes: 0,
            records: 0,
            columns: Vec::new(),
            checksum,
            source_etag: None,
            started: at,
            finished: at,
            attempts: 1,
            tool,
        }
    }

    /// Serialises the receipt as it is stored: indented JSON with a trailing newline.
    ///
    /// # Errors
    /// Cannot fail for these types; the signature follows `serde_json`.
    pub fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        let mut json = serde_json::to_vec_pretty(self)?;
        json.push(b'\n');
        Ok(json)
    }

    /// Reads a stored receipt.
    ///
    /// # Errors
    /// [`serde_json::Error`] if it is not JSON, or a required field is missing or unusable.
    pub fn from_json(json: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ChecksumAlgorithm;

    #[test]
    fn the_stored_form_is_stable_and_unknown_fields_are_ignored() {
        let time = |t: &str| t.parse::<Timestamp>().unwrap();
        let key = ObjectKey::new("mill/j.csv").unwrap();
        let checksum = Checksum::from_bytes(ChecksumAlgorithm::Crc64Nvme, &[1; 8]).unwrap();
        let receipt = Receipt {
            job: JobId::new("j").unwrap(),
            machine: Some(MachineId::new("mill").unwrap()),
            machine_name: Some("Mill 07".into()),
            machine_type: Some("CNC".into()),
            object: ReceiptObject::new(key, "file"),
            bytes: 12,
            records: 1,
            columns: vec!["State".into(), "Start Time".into()],
            checksum,
            source_etag: Some("\"abc\"".into()),
            started: time("2026-11-23T01:02:03.004Z"),
            finished: time("2026-11-23T01:02:05Z"),
            attempts: 1,
            tool: Tool::new("tulip", "0.1.0"),
        };
        let json = String::from_utf8(receipt.to_json().unwrap()).unwrap();
        let expected = r#"{
  "job": "j",
  "machine": "mill",
  "machine_name": "Mill 07",
  "machine_type": "CNC",
  "object": {
    "key": "mill/j.csv",
    "scheme": "file"
  },
  "bytes": 12,
  "records": 1,
  "columns": [
    "State",
    "Start Time"
  ],
  "checksum": {
    "algorithm": "crc64nvme",
    "value": "0101010101010101"
  },
  "source_etag": "\"abc\"",
  "started": "2026-11-23T01:02:03.004Z",
  "finished": "2026-11-23T01:02:05.000Z",
  "attempts": 1,
  "tool": {
    "name": "tulip",
    "version": "0.1.0"
  }
}
"#;
        assert_eq!(json, expected);
        let later = json.replacen('{', "{\"schema\":9,", 1);
        assert_eq!(Receipt::from_json(later.as_bytes()).unwrap(), receipt);
        let names = "  \"machine_name\": \"Mill 07\",\n  \"machine_type\": \"CNC\",\n";
        let earlier = Receipt::from_json(json.replacen(names, "", 1).as_bytes()).unwrap();
        assert_eq!(
            (&earlier.machine_name, &earlier.machine_type),
            (&None, &None)
        );
        assert_eq!(earlier.records, receipt.records);
        what_cannot_be_read_is_told_on_one_line(&serde_json::from_str(&json).unwrap());
    }

    /// Replaces each value in turn with text that contains terminal escape sequences.
    fn what_cannot_be_read_is_told_on_one_line(receipt: &serde_json::Value) {
        let forged = serde_json::Value::from("\u{1b}]0;x\u{7}\nforged.csv: intact");
        let mut refused = 0;
        let places = [
            "/object/key",
            "/object/scheme",
            "/checksum/algorithm",
            "/checksum/value",
        ];
        let fields = receipt.as_object().unwrap().keys();
        let fields = fields.map(|field| format!("/{field}"));
        for place in fields.chain(places.map(str::to_owned)) {
            let mut spoilt = receipt.clone();
            *spoilt.pointer_mut(&place).unwrap() = forged.clone();
            if let Err(error) = Receipt::from_json(spoilt.to_string().as_bytes()) {
                let said = error.to_string();
                assert!(!said.chars().any(char::is_control), "{place}: {said:?}");
                refused += 1;
            }
        }
        assert!(refused >= 10, "{refused}");
    }
}
