//! Working days, trading days, working hours and the limits counted in them (rules S1-S3, and the window
//! arithmetic of B2).
//!
//! A [`Calendar`] answers from data: the built-in years 2015-2026 and whatever an operator imports on top. Every
//! answer says whether it is provisional, that is, rests on a year for which no data were imported.
//!
//! This crate is deliberately not a clock, not a store and not a scheduler: it reads no file at run time, never
//! asks what time it is, and does not recompute anything by itself when data change.

mod calendar;
mod data;
mod error;
mod intervals;
mod limits;
mod windows;
mod zone;

pub use calendar::{Calendar, Judged};
pub use data::CalendarData;
pub use error::CalendarError;
pub use intervals::{DayIntervals, IntervalsError, WorkingHours};
pub use limits::{AcceptanceDay, within_hours};
pub use windows::Windows;
pub use zone::{SHANGHAI, local_date, start_of_day};
