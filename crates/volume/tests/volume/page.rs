//! docs/formats/volume.md tells the truth.
