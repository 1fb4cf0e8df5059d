//! What services do on a bad day.

use std::{
    any::Any,
    collections::{BTreeMap, HashMap},
    fmt,
    sync::Mutex,
};

use crate::{
    Error,
    ports::Random as _,
    testing::{SeededRandom, memory::locked},
};

/// A list is old by at most so many calls to any port.
const STALE_CALLS: u64 = 200;

/// Which calls go wrong, and how.
pub(super) struct Trouble {
    random: SeededRandom,
    percent: u8,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    calls: u64,
    /// So many calls more are throttled.
    throttled: u32,
    /// By what was asked: when, and what the answer was.
    lists: HashMap<String, (u64, Box<dyn Any + Send>)>,
    suffered: BTreeMap<&'static str, u64>,
}

/// What becomes of a call.
pub(super) enum Blow {
    None,
    /// It fails without any effect.
    Before(Error),
    /// It takes effect, and nobody is told.
    After(Error),
}

impl Trouble {
    pub(super) fn new(seed: u64, percent: u8) -> Self {
        Self { random: SeededRandom::new(seed), percent, state: Mutex::default() }
    }

    pub(super) fn blow(&self) -> Blow {
        let [chance, kind] = self.draw();
        let mut state = locked(&self.state);
        state.calls += 1;
        if state.throttled > 0 {
            state.throttled -= 1;
            return state.throttle();
        }
        if !self.strikes(chance) {
            return Blow::None;
        }
        match kind % 3 {
            0 => {
                state.throttled = u32::from(kind / 3 % 4);
                state.throttle()
            }
            1 => {
                state.suffer("timed out");
                Blow::Before(Error::unavailable("timed out"))
            }
            _ => {
                state.suffer("answer lost");
                Blow::After(Error::unavailable("the answer was lost"))
            }
        }
    }

    /// An answer of some calls ago, if this list is to be old.
    pub(super) fn stale<T: Clone + 'static>(&self, asked: &str) -> Option<Vec<T>> {
        let [chance, _] = self.draw();
        if !self.strikes(chance) {
            return None;
        }
        let mut state = locked(&self.state);
        let (at, answer) = state.lists.get(asked)?;
        let answer = answer.downcast_ref::<Vec<T>>().filter(|_| state.calls - at <= STALE_CALLS).cloned();
        if answer.is_some() {
            state.suffer("stale list");
        }
        answer
    }

    pub(super) fn remember<T: Clone + Send + 'static>(&self, asked: String, answer: &[T]) {
        let mut state = locked(&self.state);
        let at = state.calls;
        state.lists.insert(asked, (at, Box::new(answer.to_vec())));
    }

    /// Whether something that was written a moment ago is not seen yet.
    pub(super) fn overlooks(&self) -> bool {
        let [chance, _] = self.draw();
        let overlooks = self.strikes(chance);
        if overlooks {
            locked(&self.state).suffer("overlooked");
        }
        overlooks
    }

    pub(super) fn suffered(&self) -> String {
        let state = locked(&self.state);
        let kinds: Vec<_> = state.suffered.iter().map(|(kind, count)| format!("{count} {kind}")).collect();
        format!("{} calls: {}", state.calls, kinds.join(", "))
    }

    fn draw(&self) -> [u8; 2] {
        let mut drawn = [0; 2];
        self.random.fill(&mut drawn);
        drawn
    }

    fn strikes(&self, chance: u8) -> bool {
        u32::from(chance) * 100 < u32::from(self.percent) * 256
    }
}

impl State {
    fn throttle(&mut self) -> Blow {
        self.suffer("throttled");
        Blow::Before(Error::unavailable("slow down"))
    }

    fn suffer(&mut self, kind: &'static str) {
        *self.suffered.entry(kind).or_default() += 1;
    }
}

impl fmt::Debug for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.suffered())
    }
}
