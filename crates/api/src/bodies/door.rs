//! The SFTP door.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoorMode {
    /// There is none: uploads come in another way.
    None,
    /// Opened for some days when somebody asks for it.
    OnDemand,
    /// Never closed.
    Always,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum DoorState {
    Closed,
    /// A server is being made or starts up, which takes some minutes.
    Opening,
    Open,
    Closing,
    /// The server could not start or stop: open the door again, or close it.
    Failed,
}

/// Where SFTP clients connect.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Door {
    pub mode: DoorMode,
    pub state: DoorState,
    /// Null while no server stands; another one after the door was closed.
    pub host: Option<String>,
    pub port: u16,
    /// The host key's: `SHA256:…`; the same whenever the door opens.
    pub fingerprint: Option<String>,
    /// When it closes by itself.
    #[schema(format = DateTime)]
    pub closes: Option<String>,
    /// Who opened it, or prolonged it last.
    pub opened_by: Option<String>,
    /// What the open door costs; null where it costs nothing.
    pub hint: Option<String>,
}

#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OpenDoor {
    /// It closes by itself so many days from now.
    #[schema(minimum = 1, maximum = 30)]
    pub days: u32,
}
