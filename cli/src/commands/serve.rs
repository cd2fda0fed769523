//! `serve`: the HTTP API, and the host that runs what is submitted.

use crate::args::{Global, ServeArgs};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::host::{self, Host, Listen};
use crate::output::Output;

/// Serves until Ctrl-C or SIGTERM.
pub fn run(global: &Global, args: &ServeArgs, output: &Output) -> Result<Exit, Failure> {
    let config = Config::load(global, None)?;
    let runtime = host::runtime()?;
    let host = runtime.block_on(Host::start(
        global,
        config,
        Listen::Public(args.listen, args.clients.as_deref()),
    ))?;
    host.tell_recovered(None, output);
    output.note(&format!(
        "orchestrator serves http://{} (in a browser: the console; data in {})",
        host.address(),
        global.data.display()
    ));
    runtime.block_on(host::told_to_stop());
    output.note("stopping: requests are answered, agents are stopped; runs go on with the next start");
    runtime.block_on(host.stop());
    Ok(Exit::Success)
}
