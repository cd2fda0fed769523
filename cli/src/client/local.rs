//! A data directory that no process owns: read as it is; to change something, this process owns it for a moment.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response};
use orchestrator_embedded::{DataDir, HostBackend, Orchestrator, ReadOnlyBackend};
use orchestrator_engine::api::{Access, handle};

use crate::args::Global;
use crate::config::{Config, Prepared, start_failure};
use crate::exit::{Exit, Failure};
use crate::host;

/// A data directory.
#[derive(Debug)]
pub struct Local {
    global: Global,
    workflow_file: Option<PathBuf>,
}

impl Local {
    /// The data directory that the flags name.
    pub fn new(global: &Global, workflow_file: Option<&Path>) -> Local {
        Local {
            global: global.clone(),
            workflow_file: workflow_file.map(Path::to_owned),
        }
    }

    /// Answers a request.
    pub fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let config = Config::load(&self.global, self.workflow_file.as_deref())?;
        let prepared = config.prepare(&self.global.data)?;
        match *request.method() {
            Method::GET => self.read(prepared, request),
            _ => self.write(prepared, request),
        }
    }

    fn read(&self, prepared: Prepared, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        let data = &self.global.data;
        if !DataDir::new(data).database().exists() {
            let message = format!(
                "there are no runs in '{}' (start one with 'orchestrator run', or give --data)",
                data.display()
            );
            return Err(Failure::new(Exit::NotFound, message));
        }
        let backend = ReadOnlyBackend::open(data, Arc::clone(&prepared.options.policy), prepared.intake);
        let backend = backend.map_err(|error| Failure::unavailable(error.to_string()))?;
        let runtime = host::small_runtime()?;
        Ok(runtime.block_on(handle(&backend, &Access::open_on_loopback(), request)))
    }

    /// Agents are not started: whatever becomes due is done by the next owner.
    fn write(&self, mut prepared: Prepared, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        prepared.options.dispatches = false;
        let orchestrator = Orchestrator::start(prepared.options).map_err(|error| start_failure(&error))?;
        let backend = HostBackend::translating(
            orchestrator,
            prepared.intake,
            prepared.rate_limits,
            prepared.translator,
            prepared.budget,
        )
        .for_own_process(prepared.own_intake);
        let runtime = host::small_runtime()?;
        let answer = runtime.block_on(handle(&backend, &Access::open_on_loopback(), request));
        backend.orchestrator().stop();
        Ok(answer)
    }
}
