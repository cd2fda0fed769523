//! Which faults happen, and how often: drawn anew for every seed, so that some seeds have none of a kind and some have
//! many (Groce et al., "Swarm testing", ISSTA 2012).

use std::fmt;

use crate::random::Random;

/// How the use cases are put together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Composition {
    /// One process: `orchestrator run` and `orchestrator serve`.
    Embedded,
    /// One function per message, as on AWS.
    Functions,
}

impl Composition {
    /// Both.
    pub const ALL: [Composition; 2] = [Composition::Embedded, Composition::Functions];
}

impl fmt::Display for Composition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Composition::Embedded => "embedded",
            Composition::Functions => "functions",
        })
    }
}

/// Rates, in times per thousand opportunities.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swarm {
    /// A call of a port lets other work in between.
    pub interleave: u32,
    /// A message is delivered twice.
    pub duplicate: u32,
    /// A message is not delivered now but again later, as after a lost receipt.
    pub redeliver: u32,
    /// Messages overtake each other.
    pub reorder: u32,
    /// A message takes seconds instead of milliseconds.
    pub delay: u32,
    /// A call of a port is refused.
    pub refuse: u32,
    /// The answer of an append is lost.
    pub lose_answer: u32,
    /// A function dies in the middle.
    pub crash: u32,
    /// The embedded process dies and starts again.
    pub restart: u32,
    /// The clock jumps by up to an hour, forward or backward.
    pub clock_jump: u32,
    /// An agent dies.
    pub agent_death: u32,
    /// An agent hangs, is late, or says things twice.
    pub agent_mischief: u32,
    /// An agent fails by itself.
    pub agent_failure: u32,
    /// An operator does something.
    pub operator: u32,
    /// The sweep comes by.
    pub sweep: u32,
}

impl Swarm {
    /// The faults of a seed.
    pub fn draw(random: &mut Random, composition: Composition) -> Swarm {
        let mut rate = |max: u64| match random.below(3) {
            0 => 0,
            _ => u32::try_from(random.range(1, max)).unwrap_or(u32::MAX),
        };
        let mut swarm = Swarm {
            interleave: rate(800),
            duplicate: rate(150),
            redeliver: rate(150),
            reorder: rate(800),
            delay: rate(200),
            refuse: rate(40),
            lose_answer: rate(60),
            crash: rate(60),
            restart: rate(12),
            clock_jump: rate(12),
            agent_death: rate(100),
            agent_mischief: rate(250),
            agent_failure: rate(400),
            operator: rate(60),
            sweep: rate(10),
        };
        match composition {
            Composition::Embedded => {
                // Its queues are in memory: nothing is lost or doubled while the process lives.
                swarm.duplicate = 0;
                swarm.redeliver = 0;
                swarm.crash = 0;
                swarm.sweep = 0;
            }
            Composition::Functions => swarm.restart = 0,
        }
        swarm
    }

    /// No faults any more; agents behave, operators rest.
    pub fn healed(&self) -> Swarm {
        Swarm {
            interleave: self.interleave,
            reorder: self.reorder,
            ..Swarm::default()
        }
    }

    fn rates(&self) -> [(&'static str, u32); 15] {
        [
            ("interleave", self.interleave),
            ("duplicate", self.duplicate),
            ("redeliver", self.redeliver),
            ("reorder", self.reorder),
            ("delay", self.delay),
            ("refuse", self.refuse),
            ("lose-answer", self.lose_answer),
            ("crash", self.crash),
            ("restart", self.restart),
            ("clock-jump", self.clock_jump),
            ("agent-death", self.agent_death),
            ("agent-mischief", self.agent_mischief),
            ("agent-failure", self.agent_failure),
            ("operator", self.operator),
            ("sweep", self.sweep),
        ]
    }
}

impl fmt::Display for Swarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let drawn = self.rates().into_iter().filter(|(_, rate)| *rate > 0);
        let shown: Vec<String> = drawn.map(|(name, rate)| format!("{name} {rate}")).collect();
        write!(f, "{} (per thousand)", shown.join(", "))
    }
}
