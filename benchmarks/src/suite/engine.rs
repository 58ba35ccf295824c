//! The engines on which a job can go on.

use anyhow::Result;

use super::flink_engine::FlinkEngine;
use super::going::{Going, Start};
use super::millpond_engine::MillpondEngine;
use crate::harness::Lab;

/// Where the keyed sum runs.
#[derive(Clone, Copy)]
pub(super) enum Engine {
    Millpond(MillpondEngine),
    Flink(FlinkEngine),
}

impl Engine {
    pub(super) fn start(self, lab: &mut Lab, start: &Start) -> Result<Box<dyn Going>> {
        Ok(match self {
            Engine::Millpond(engine) => Box::new(engine.start(lab, start)?),
            Engine::Flink(engine) => Box::new(engine.start(lab, start)?),
        })
    }
}
