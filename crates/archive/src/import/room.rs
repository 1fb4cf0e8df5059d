//! Room for imports: where few may run side by side, the others wait, and are seen to.
//!
//! The bound holds where one process delivers all jobs ([`Sizes::imports`]). Elsewhere whoever delivers them keeps it, and
//! an import waits as long as its first job does.
//!
//! [`Sizes::imports`]: crate::Sizes::imports

use std::{collections::BTreeSet, time::Duration};

use serde::{Deserialize, Serialize};

use super::{Import, ImportState};
use crate::{
    Archive, ErrorKind, ImportId, Result,
    process::Severity,
    records::{Record, Stored},
};

/// An import that waits asks again after so long, should nobody call it before.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(30);
/// One that waits is not lost: it shows that so often, in seconds.
const SIGN_OF_LIFE: i64 = super::LOST_SECONDS / 3;

/// Who is at work. One that has ended without leaving, because its worker died, is shown out by the next one that asks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Room {
    inside: BTreeSet<ImportId>,
    /// Those that were told that they wait.
    told: BTreeSet<ImportId>,
}

impl Record for Room {
    const KIND: &'static str = "room";
    fn id(&self) -> String {
        "imports".into()
    }
}

impl Archive {
    /// Whether the import may run. One that has begun goes on in any case.
    pub(super) async fn may_run(&self, import: &Import) -> Result<bool> {
        let Some(most) = self.sizes.imports else { return Ok(true) };
        if import.state != ImportState::Waiting {
            return Ok(true);
        }
        let is_new = |room: &Room| !room.told.contains(&import.id);
        loop {
            let mut room = self.room().await?;
            let before = room.value.clone();
            self.show_out(&mut room.value).await?;
            let has_room = room.value.inside.contains(&import.id) || room.value.inside.len() < most as usize;
            if has_room {
                room.value.told.remove(&import.id);
                room.value.inside.insert(import.id.clone());
            } else {
                room.value.told.insert(import.id.clone());
            }
            let inside = room.value.inside.len();
            if room.value != before && !self.keep_room(room).await? {
                continue;
            }
            if !has_room {
                self.tell_waiting(import, is_new(&before), inside).await?;
            }
            return Ok(has_room);
        }
    }

    /// The import needs its room no more: the first one that waits is called.
    pub(super) async fn leave_room(&self, import: &ImportId) -> Result<()> {
        if self.sizes.imports.is_none() {
            return Ok(());
        }
        loop {
            let mut room = self.room().await?;
            let was_inside = room.value.inside.remove(import);
            if !room.value.told.remove(import) && !was_inside {
                return Ok(());
            }
            let inside = room.value.inside.clone();
            if self.keep_room(room).await? {
                return if was_inside { self.call_next(&inside).await } else { Ok(()) };
            }
        }
    }

    /// Whoever is called asks like everybody else.
    async fn call_next(&self, inside: &BTreeSet<ImportId>) -> Result<()> {
        for id in self.live_imports().await?.difference(inside) {
            let import = self.find::<Import>(&id.0).await?.map(|stored| stored.value);
            if let Some(import) = import.filter(|import| import.state == ImportState::Waiting) {
                return self.send_shards(&import).await;
            }
        }
        Ok(())
    }

    async fn room(&self) -> Result<Stored<Room>> {
        let there = self.find::<Room>("imports").await?;
        Ok(there.unwrap_or(Stored { value: Room::default(), version: 0 }))
    }

    /// False if somebody else came between.
    async fn keep_room(&self, room: Stored<Room>) -> Result<bool> {
        let kept = if room.version == 0 { self.add(&room.value).await } else { self.save(room).await };
        match kept {
            Err(e) if e.kind() == ErrorKind::Conflict => Ok(false),
            kept => kept.map(|_| true),
        }
    }

    async fn show_out(&self, room: &mut Room) -> Result<()> {
        for id in room.inside.clone() {
            let import = self.find::<Import>(&id.0).await?.map(|stored| stored.value);
            if import.is_none_or(|import| import.finished.is_some()) {
                room.inside.remove(&id);
            }
        }
        Ok(())
    }

    /// Says once why nothing happens, and shows now and then that the import is not lost.
    async fn tell_waiting(&self, import: &Import, is_new: bool, inside: usize) -> Result<()> {
        if is_new {
            let text = format!("{} waits: {inside} imports are at work, which is as many as may be", import.file);
            self.say(&import.process, Severity::Info, text).await?;
        }
        let now = self.clock.now();
        if import.touched + SIGN_OF_LIFE > now {
            return Ok(());
        }
        let touch = |import: &mut Import| {
            import.touched = now;
            Ok(())
        };
        self.update::<Import>(&import.id.0, touch).await.map(drop)
    }
}
