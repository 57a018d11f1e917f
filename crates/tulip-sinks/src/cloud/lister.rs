//! The keys that a store holds, page by page.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use object_store::ObjectMeta;
use object_store::list::{PaginatedListOptions, PaginatedListStore};
use object_store::path::Path;
use tulip_core::ObjectKey;
use tulip_core::sink::{Listed, SinkError, SinkErrorKind, SinkLister, staged_target};

use super::error::{cleaned, from_store};
use super::pages::{BrokenList, refused_key};
use super::probe::PROBE;

/// The keys below a root.
pub(super) struct KeyLister {
    store: Arc<dyn PaginatedListStore>,
    root: Path,
    shown: String,
    page: std::vec::IntoIter<ObjectMeta>,
    next: NextPage,
    /// Every token so far: a list that repeats one would never end.
    tokens: HashSet<String>,
}

enum NextPage {
    First,
    Behind(String),
    None,
}

impl KeyLister {
    pub(super) fn new(store: Arc<dyn PaginatedListStore>, root: Path, shown: &str) -> Self {
        Self {
            store,
            root,
            shown: shown.to_owned(),
            page: Vec::new().into_iter(),
            next: NextPage::First,
            tokens: HashSet::new(),
        }
    }

    /// Fetches the next page. Returns `false` if there is none.
    async fn turn(&mut self) -> object_store::Result<bool> {
        let token = match std::mem::replace(&mut self.next, NextPage::None) {
            NextPage::First => None,
            NextPage::Behind(token) => Some(token),
            NextPage::None => return Ok(false),
        };
        let prefix = match self.root.as_ref() {
            "" => None,
            root => Some(format!("{root}/")),
        };
        let options = PaginatedListOptions {
            page_token: token,
            ..PaginatedListOptions::default()
        };
        let page = self
            .store
            .list_paginated(prefix.as_deref(), options)
            .await?;
        if let Some(token) = page.page_token.filter(|token| !token.is_empty()) {
            if !self.tokens.insert(token.clone()) {
                return Err(BrokenList::Repeats.into());
            }
            self.next = NextPage::Behind(token);
        }
        self.page = page.result.objects.into_iter();
        Ok(true)
    }

    /// Returns the entry for an object, or `None` for a staged object or a probe's.
    fn entry(&self, path: &Path) -> Option<Listed> {
        if let Some(key) = refused_key(path) {
            let below = match self.root.as_ref() {
                "" => &key,
                root => key.strip_prefix(root)?.strip_prefix('/')?,
            };
            return Some(self.skipped(below));
        }
        let name = path.filename()?;
        if staged_target(name).is_some() || name.starts_with(PROBE) {
            return None;
        }
        let below = match self.root.as_ref() {
            "" => path.as_ref(),
            root => path.as_ref().strip_prefix(root)?.strip_prefix('/')?,
        };
        // A key that would be normalised was not written by an export.
        match ObjectKey::new(below) {
            Ok(key) if key.as_str() == below => Some(Listed::Key(key)),
            _ => Some(self.skipped(below)),
        }
    }

    fn skipped(&self, below: &str) -> Listed {
        let location = format!("{}/{}", self.shown, cleaned(below));
        let what = format!("{location} has a name that no archive has");
        let reason = SinkError::new(SinkErrorKind::Other, what);
        Listed::skipped(location, reason)
    }
}

#[async_trait]
impl SinkLister for KeyLister {
    async fn next(&mut self) -> Result<Option<Listed>, SinkError> {
        loop {
            while let Some(object) = self.page.next() {
                if let Some(entry) = self.entry(&object.location) {
                    return Ok(Some(entry));
                }
            }
            let turned = self.turn().await;
            let failed = |error| from_store(error, format!("cannot list {}", self.shown));
            if !turned.map_err(failed)? {
                return Ok(None);
            }
        }
    }
}

impl fmt::Debug for KeyLister {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyLister")
            .field("root", &self.root)
            .finish_non_exhaustive()
    }
}
