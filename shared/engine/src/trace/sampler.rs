//! Which traces are exported. Decided once per trace, from its id and its parent alone: every process decides the same.

use super::context::TraceId;

/// Decides about traces.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampler {
    /// Whether the parent's decision holds where there is one.
    pub follows_parent: bool,
    /// Share of the traces that are exported, 0 to 1.
    pub ratio: f64,
}

impl Default for Sampler {
    /// Everything, unless the caller has decided against it.
    fn default() -> Sampler {
        Sampler {
            follows_parent: true,
            ratio: 1.0,
        }
    }
}

impl Sampler {
    /// The sampler with a name of the OpenTelemetry specification; `argument` is the ratio of those that have one.
    ///
    /// # Errors
    /// With what is wrong with the name or the argument.
    pub fn named(name: &str, argument: Option<&str>) -> Result<Sampler, String> {
        let ratio = || match argument {
            None => Ok(1.0),
            Some(text) => match text.trim().parse::<f64>() {
                Ok(ratio) if (0.0..=1.0).contains(&ratio) => Ok(ratio),
                _ => Err(format!("'{text}' is not a ratio (use a number from 0 to 1)")),
            },
        };
        let (follows_parent, ratio) = match name {
            "always_on" => (false, 1.0),
            "always_off" => (false, 0.0),
            "traceidratio" => (false, ratio()?),
            "parentbased_always_on" => (true, 1.0),
            "parentbased_always_off" => (true, 0.0),
            "parentbased_traceidratio" => (true, ratio()?),
            other => {
                return Err(format!(
                    "'{other}' is not known (use always_on, always_off, traceidratio or one of them after parentbased_)"
                ));
            }
        };
        Ok(Sampler {
            follows_parent,
            ratio,
        })
    }

    /// Whether spans of the trace are exported. `parent` is what the caller decided.
    pub fn samples(&self, trace: TraceId, parent: Option<bool>) -> bool {
        match parent {
            Some(decision) if self.follows_parent => decision,
            _ => self.is_in_ratio(trace),
        }
    }

    /// The last seven bytes of a trace id are random, by the standard; ours are all but the first four.
    fn is_in_ratio(&self, trace: TraceId) -> bool {
        const RANGE: u64 = 1 << 56;
        let mut bytes = [0; 8];
        bytes[1..].copy_from_slice(&trace.0[9..]);
        // Both are exact: the range is a power of two below 2^53 only in steps, which is finer than any ratio given.
        (u64::from_be_bytes(bytes) as f64) < self.ratio * RANGE as f64
    }
}

#[cfg(test)]
mod tests {
    use orchestrator_core::ids::RunId;

    use super::*;
    use crate::trace::ids::trace_of;

    #[test]
    fn a_ratio_takes_its_share_and_the_parent_is_followed_where_asked() {
        let traces: Vec<TraceId> = (0..2_000).map(|n| trace_of(RunId::from_parts(1, n))).collect();
        let share = |sampler: &Sampler| {
            traces
                .iter()
                .filter(|trace| sampler.samples(**trace, None))
                .count()
        };
        let quarter = Sampler::named("parentbased_traceidratio", Some("0.25")).unwrap();
        assert!((400..600).contains(&share(&quarter)), "{}", share(&quarter));
        assert_eq!(share(&Sampler::default()), 2_000);
        assert_eq!(share(&Sampler::named("always_off", None).unwrap()), 0);
        let off = Sampler::named("parentbased_always_off", None).unwrap();
        assert!(off.samples(traces[0], Some(true)) && !off.samples(traces[0], None));
        let on = Sampler::named("always_on", None).unwrap();
        assert!(on.samples(traces[0], Some(false)));
    }

    #[test]
    fn unknown_samplers_and_ratios_are_named() {
        assert!(
            Sampler::named("sometimes", None)
                .unwrap_err()
                .contains("'sometimes'")
        );
        for wrong in ["2", "-0.1", "half", "NaN"] {
            let error = Sampler::named("traceidratio", Some(wrong)).unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
