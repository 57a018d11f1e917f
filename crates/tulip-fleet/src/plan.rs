//! The plan of a run: every source once, under usable keys that do not collide.

use std::collections::HashMap;
use std::sync::Arc;

use tulip_archive::core::Timestamp;
use tulip_archive::{
    Export, ExportError, Exporter, Field, IncompleteExport, JobId, KeyTemplate, ObjectKey, Source,
    TemplateError,
};
use tulip_core::sink::Capabilities;

use crate::collision::Keyed;
use crate::ledger::RunLog;
use crate::{Collisions, ItemReport, ItemSummary, PlanError, deduplicate};

/// One export of a plan.
#[derive(Debug)]
pub struct Item {
    pub(crate) source: Source,
    key: Option<ObjectKey>,
    exporter: Exporter,
    /// The time for its key; `None` for an incomplete export, which has one.
    dated: Option<Timestamp>,
    /// A job that was started for it before, if the archive can still be fetched.
    pub(crate) job: Option<JobId>,
    /// The incomplete export of an earlier run that this item finishes, if any.
    incomplete: Option<Box<IncompleteExport>>,
    /// The log of the run that it belongs to, if that is another run.
    pub(crate) log: Option<Arc<RunLog>>,
}

/// The exports of a run, and those that failed before they could be started.
///
/// Run it with [`Run::new`](crate::Run::new).
#[derive(Debug, Default)]
pub struct Plan {
    items: Vec<Item>,
    ended: Vec<ItemReport>,
}

impl Item {
    fn new(exporter: &Exporter, source: Source, key: Option<ObjectKey>) -> Self {
        Self {
            exporter: exporter.clone(),
            dated: Some(Timestamp::now()),
            job: None,
            incomplete: None,
            log: None,
            source,
            key,
        }
    }

    /// Returns the source that is exported.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Returns the key that the archive would have if it were exported now, or `None` if the key
    /// depends on a job that is not started yet.
    #[must_use]
    pub fn key(&self) -> Option<&ObjectKey> {
        self.key.as_ref()
    }

    /// Returns an attempt, which uses `job` if an earlier attempt has started one.
    pub(crate) fn export(&self, job: Option<&JobId>) -> Export {
        let incomplete = self.incomplete.as_ref();
        if let Some(export) = incomplete.and_then(|left| self.exporter.resume(left)) {
            return export;
        }
        let mut export = self.exporter.export(self.source.clone());
        if let Some(dated) = self.dated {
            export = export.dated(dated);
        }
        match job {
            Some(job) => export.with_job(job.clone()),
            None => export,
        }
    }

    /// Whether incomplete exports are remembered, so that another run can resume this one.
    pub(crate) fn is_remembered(&self) -> bool {
        self.incomplete.is_some() || self.exporter.remembers()
    }

    pub(crate) fn exporter(&self) -> &Exporter {
        &self.exporter
    }
}

impl Plan {
    /// Plans one export of each source. Checks that the target is writable, and sends nothing to
    /// Tulip.
    ///
    /// An unusable key fails only its own export, which the run reports with the others.
    ///
    /// # Errors
    /// [`PlanError`] if the target cannot be used, or if keys collide: one export would replace the
    /// other's object, and after a start it would be too late to choose other keys.
    pub async fn new(
        exporter: &Exporter,
        sources: impl IntoIterator<Item = Source>,
    ) -> Result<Self, PlanError> {
        let target = exporter.probe().await?.capabilities;
        let Keys { keyed, unusable } = Keys::of(exporter, deduplicate(sources), target)?;
        let item = |(source, key)| Item::new(exporter, source, key);
        let failed = |(source, error)| ItemReport::failed(source, error);
        Ok(Self {
            items: keyed.into_iter().map(item).collect(),
            ended: unusable.into_iter().map(failed).collect(),
        })
    }

    /// Adds an export that an earlier run left incomplete, if its source is known. The exporter
    /// must be able to resume it: see [`Exporter::resume`]. The export is recorded in `log`, if
    /// given, instead of the [log of the run](crate::Run::log).
    #[must_use]
    pub fn with_incomplete(
        mut self,
        exporter: &Exporter,
        incomplete: &IncompleteExport,
        log: Option<Arc<RunLog>>,
    ) -> Self {
        if let Some(source) = incomplete.source() {
            self.items.push(Item {
                exporter: exporter.clone(),
                dated: None,
                job: None,
                incomplete: Some(Box::new(incomplete.clone())),
                log,
                source,
                key: incomplete.key().cloned(),
            });
        }
        self
    }

    /// Fills the fields of time in the key template, such as `{date}`, with `at`: the time at which
    /// the run began that the plan continues. By default the time of [`Plan::new`], for all exports
    /// alike, so that a run that passes midnight stays in one folder.
    #[must_use]
    pub fn dated(mut self, at: Timestamp) -> Self {
        let own = self
            .items
            .iter_mut()
            .filter(|item| item.incomplete.is_none());
        own.for_each(|item| item.dated = Some(at));
        self
    }

    /// Adds an export that ended before the run, to be reported with the others.
    #[must_use]
    pub fn with_ended(mut self, report: ItemReport) -> Self {
        self.ended.push(report);
        self
    }

    /// Makes the plan continue a run that left these exports. Exports that were stored or unchanged
    /// are removed. Others that were taken up no earlier than `since` reuse their jobs, if the
    /// archives can still be fetched. So no archive is generated twice, even if the run was killed
    /// between storing one and recording that.
    #[must_use]
    pub fn continuing(mut self, left: &[ItemSummary], since: Timestamp) -> Self {
        let left: HashMap<String, &ItemSummary> =
            left.iter().map(|item| (item.id(), item)).collect();
        let is_finished = |id: &str| left.get(id).is_some_and(|item| item.outcome.is_success());
        self.ended
            .retain(|report| !is_finished(&ItemSummary::of(report).id()));
        self.items.retain_mut(|item| {
            let id = ItemSummary::waiting(&item.source).id();
            let started = left.get(&id).filter(|item| {
                item.job_is_pending && item.started.is_some_and(|started| started >= since)
            });
            item.job = started.and_then(|item| item.job.clone());
            !is_finished(&id)
        });
        self
    }

    /// Returns every export of the plan, for a ledger: those that failed before they could be
    /// started as ended, the others as waiting.
    #[must_use]
    pub fn summaries(&self) -> Vec<ItemSummary> {
        let waiting = self
            .items
            .iter()
            .map(|item| ItemSummary::waiting(&item.source));
        waiting
            .chain(self.ended.iter().map(ItemSummary::of))
            .collect()
    }

    /// Returns the exports to be run.
    #[must_use]
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Returns the exports that failed before they could be started.
    #[must_use]
    pub fn ended(&self) -> &[ItemReport] {
        &self.ended
    }

    pub(crate) fn into_parts(self) -> (Vec<Item>, Vec<ItemReport>) {
        (self.items, self.ended)
    }
}

/// The keys of a run.
#[derive(Debug)]
pub(crate) struct Keys {
    /// The sources with the keys that their archives would have now.
    pub(crate) keyed: Vec<Keyed>,
    /// The sources without a usable key.
    pub(crate) unusable: Vec<(Source, ExportError)>,
}

impl Keys {
    /// Returns the keys of these sources on a target with these capabilities.
    pub(crate) fn of(
        exporter: &Exporter,
        sources: Vec<Source>,
        target: Capabilities,
    ) -> Result<Self, PlanError> {
        let key = |source: &Source| exporter.preview_key(source);
        Self::by(exporter.key_template(), key, sources, target)
    }

    fn by(
        template: Option<&KeyTemplate>,
        key: impl Fn(&Source) -> Result<ObjectKey, TemplateError>,
        sources: Vec<Source>,
        target: Capabilities,
    ) -> Result<Self, PlanError> {
        let (mut keyed, mut unusable) = (Vec::with_capacity(sources.len()), Vec::new());
        for source in sources {
            let uses_job = match template {
                Some(template) => template.uses(Field::Job),
                None => KeyTemplate::default_for(&source).uses(Field::Job),
            };
            // A job that is not started yet will have an id that no other export has.
            let has_unknown_job = source.known_job().is_none() && uses_job;
            match key(&source) {
                Ok(key) => keyed.push((source, (!has_unknown_job).then_some(key))),
                Err(error) => unusable.push((source, error.into())),
            }
        }
        let names_machine = template.is_some_and(|known| known.uses(Field::MachineName));
        match Collisions::find(&keyed, target, names_machine) {
            Some(found) => Err(PlanError::Collisions(Box::new(
                found.with_unusable(&unusable),
            ))),
            None => Ok(Self { keyed, unusable }),
        }
    }
}

#[cfg(test)]
mod tests {
    use tulip_core::Machine;

    use super::*;
    use crate::{CollisionAdvice, ItemError};

    fn machine(id: &str) -> Source {
        Source::machine(id.parse().unwrap())
    }

    fn collisions(
        template: Option<&str>,
        target: Capabilities,
        sources: &[Source],
    ) -> Option<Collisions> {
        let template = template.map(|text| KeyTemplate::parse(text).unwrap());
        let key = |source: &Source| match &template {
            Some(template) => template.preview(source),
            None => KeyTemplate::default_for(source).preview(source),
        };
        match Keys::by(template.as_ref(), key, sources.to_vec(), target) {
            Ok(keys) => {
                assert!(keys.unusable.is_empty());
                None
            }
            Err(PlanError::Collisions(found)) => {
                assert_eq!(found.reports().len(), sources.len());
                Some(*found)
            }
            Err(other) => panic!("{other}"),
        }
    }

    #[test]
    fn keys_that_would_collide_are_refused_and_others_are_not() {
        let refused = |template, sources: &[Source]| {
            collisions(template, Capabilities::NONE, sources).is_some()
        };
        let both = [machine("a"), machine("b")];
        assert!(refused(Some("{date}.csv"), &both));
        assert!(!refused(Some("{machine}.csv"), &both));
        assert!(!refused(Some("{job}.csv"), &both));
        assert!(!refused(None, &both));
        let job = |id: &str| Source::job(id.parse().unwrap());
        assert!(refused(None, &[job("j"), job("j")]));
        assert!(!refused(None, &[job("j"), job("k")]));
    }

    #[test]
    fn keys_that_the_target_does_not_tell_apart_are_refused_with_what_does() {
        let named = |id: &str, name: &str| {
            let machine = Machine::new(id.parse().unwrap(), name);
            Source::machine(machine.id.clone()).of_machine(&machine)
        };
        let sources = [named("a", "Mill"), named("b", "Press"), named("c", "MILL")];
        let checked = |target| collisions(Some("{machine_name}.csv"), target, &sources);
        assert!(checked(Capabilities::NONE).is_none());
        let found = checked(Capabilities::NONE.with_ignored_case()).unwrap();
        let message = found.to_string();
        assert!(
            message.contains("Mill.csv and MILL.csv, which are one object"),
            "{message}"
        );
        assert_eq!(found.advice(), CollisionAdvice::AddMachine);
        let reports = found.reports();
        let reasons = reports.iter().map(|report| match &report.result {
            Err(ItemError::NotStarted(why)) => why.reason.as_str(),
            _ => "",
        });
        let about_both: Vec<_> = reasons.map(|why| why.contains("one object")).collect();
        assert_eq!(about_both, [true, false, true]);
    }
}
