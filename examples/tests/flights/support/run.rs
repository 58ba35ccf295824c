//! A running program: what it says, how it ends.

use std::io::Read;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Instant;

use super::control::Control;
use super::{PATIENCE, until};

/// Collects what comes out of a pipe.
struct Listener {
    text: Arc<Mutex<Vec<u8>>>,
    thread: JoinHandle<()>,
}

impl Listener {
    fn start(mut pipe: impl Read + Send + 'static) -> Self {
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let heard = Arc::clone(&text);
        let thread = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            while let Ok(n @ 1..) = pipe.read(&mut buffer) {
                heard.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        Listener { text, thread }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }

    fn all(self) -> String {
        self.thread.join().unwrap();
        String::from_utf8_lossy(&self.text.lock().unwrap()).into_owned()
    }
}

/// A running program. It is killed if a test lets go of it.
pub(crate) struct Run {
    child: Child,
    streams: Option<(Listener, Listener)>,
}

/// A program that has ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    pub(crate) fn start(mut command: Command) -> Self {
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let stdout = Listener::start(child.stdout.take().unwrap());
        let stderr = Listener::start(child.stderr.take().unwrap());
        Run { child, streams: Some((stdout, stderr)) }
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    fn stderr_so_far(&self) -> String {
        self.streams.as_ref().map(|(_, stderr)| stderr.so_far()).unwrap_or_default()
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    fn assert_running(&mut self, what: &str) {
        if !self.is_running() {
            panic!("the job ended before {what}; it said:\n{}", self.stderr_so_far());
        }
    }

    /// Its control server, once it has said where that is and all workers are ready.
    pub(crate) fn control(&mut self) -> Control {
        let control = until("the address of the control server", || {
            let text = self.stderr_so_far();
            // The line must be whole, or else the port may not be.
            let (before, after) = text.split_once(": control server at ")?;
            let (address, _) = after.split_once('\n')?;
            Some(Control::new(before.lines().last()?, address))
        });
        self.wait_until("its workers were ready", || control.is_running());
        control
    }

    /// Waits until `seen` says so, as long as the program runs.
    pub(crate) fn wait_until(&mut self, what: &str, mut seen: impl FnMut() -> bool) {
        until(what, || {
            if seen() {
                return Some(());
            }
            self.assert_running(what);
            None
        });
    }

    /// Sends a signal, by its name.
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill").arg(format!("-{name}")).arg(self.id().to_string()).status().unwrap();
        assert!(status.success(), "no process {} to send {name} to", self.id());
    }

    /// `kill -9`. Says whether the program was running until then.
    pub(crate) fn kill(mut self) -> bool {
        let was_running = self.is_running();
        let _ = self.child.kill();
        self.child.wait().unwrap();
        was_running
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(
                Instant::now() < deadline,
                "the job did not end within {PATIENCE:?}; it said:\n{}",
                self.stderr_so_far()
            );
            std::thread::sleep(std::time::Duration::from_millis(10));
        };
        let (stdout, stderr) = self.streams.take().unwrap();
        Ended { status, stdout: stdout.all(), stderr: stderr.all() }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Ended {
    /// It must have ended with exit code 0.
    pub(crate) fn succeeded(self) -> Self {
        assert!(self.status.success(), "{}; it said:\n{}", self.status, self.stderr);
        self
    }

    /// It must have failed in good order: with an exit code that is not 0, with one message that says all of
    /// `reasons`, and without a panic.
    pub(crate) fn refused(self, reasons: &[&str]) -> Self {
        let code = self.status.code().unwrap_or_else(|| panic!("{}; it said:\n{}", self.status, self.stderr));
        assert_ne!(code, 0, "it should have failed; it said:\n{}\n{}", self.stdout, self.stderr);
        for reason in reasons {
            assert!(self.stderr.contains(reason), "expected '{reason}' in:\n{}", self.stderr);
        }
        assert!(!self.stderr.contains("panicked at"), "it panicked:\n{}", self.stderr);
        self
    }
}
