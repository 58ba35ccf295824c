//! The terminal of a reader: one shell for a page, so that variables, the directory and jobs in the background stay.

use std::fs;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// How long a block may take. Far longer than it does: one that takes this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);
/// The addresses that the pages name, of which each shell has its own.
const PORTS: [&str; 2] = ["8081", "8082"];

/// A shell in a directory of its own.
pub(crate) struct Shell {
    directory: TempDir,
    bash: Child,
    stdin: ChildStdin,
    ports: [String; 2],
    blocks: usize,
}

/// What became of commands.
pub(crate) struct Ran {
    /// `None`: they have not ended in time.
    pub(crate) code: Option<i32>,
    /// What they printed.
    pub(crate) output: String,
}

impl Shell {
    /// A shell that finds these programs.
    pub(crate) fn start(programs: &[PathBuf]) -> Self {
        let directory = tempfile::Builder::new().prefix("millpond-guide-").tempdir().unwrap();
        fs::create_dir(directory.path().join(".blocks")).unwrap();
        let ports = free_ports();
        let folders = programs.iter().map(|program| program.parent().unwrap().to_owned());
        let path = std::env::var_os("PATH").unwrap();
        let path = std::env::join_paths(folders.chain(std::env::split_paths(&path))).unwrap();
        let mut command = Command::new("bash");
        command
            .args(["--noprofile", "--norc", "-e", "-s"])
            .current_dir(&directory)
            .env("PATH", path)
            .env(
                "FLIGHTS",
                Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("data/flights-2013-01.csv"),
            )
            .env("MILLPOND_LISTEN", format!("127.0.0.1:{}", ports[0]))
            .env("MILLPOND_ADDRESS", format!("http://127.0.0.1:{}", ports[0]))
            .env_remove("MILLPOND_STORE")
            .env_remove("RUST_LOG")
            .stdin(Stdio::piped())
            // So that whatever is left at the end can be ended with it.
            .process_group(0);
        let mut bash = command.spawn().expect("the pages are run by bash");
        let stdin = bash.stdin.take().unwrap();
        Shell { directory, bash, stdin, ports, blocks: 0 }
    }

    /// A path in its directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Runs commands, to their end or until patience ends. The first that fails ends them, and the shell with them.
    pub(crate) fn run(&mut self, commands: &str) -> Ran {
        self.go(commands, "source FILE.sh > FILE.out 2>&1; echo 0 > FILE.code")
    }

    /// The same for commands that may fail. Variables and the directory stay as they were.
    pub(crate) fn attempt(&mut self, commands: &str) -> Ran {
        self.go(commands, "set +e; (set -e; source FILE.sh) > FILE.out 2>&1; echo $? > FILE.code; set -e")
    }

    fn go(&mut self, commands: &str, how: &str) -> Ran {
        self.blocks += 1;
        let file = self.path(".blocks").join(self.blocks.to_string());
        fs::write(file.with_extension("sh"), self.with_own_ports(commands)).unwrap();
        writeln!(self.stdin, "{}", how.replace("FILE", file.to_str().unwrap())).unwrap();
        let deadline = Instant::now() + PATIENCE;
        let code = loop {
            let code = fs::read_to_string(file.with_extension("code")).ok();
            if let Some(code) = code.and_then(|code| code.strip_suffix('\n')?.parse().ok()) {
                break Some(code);
            }
            if let Some(status) = self.bash.try_wait().unwrap() {
                break Some(status.code().unwrap_or(-1));
            }
            if Instant::now() > deadline {
                break None;
            }
            sleep(Duration::from_millis(10));
        };
        let output = fs::read_to_string(file.with_extension("out")).unwrap_or_default();
        Ran { code, output: self.with_ports_of_page(output) }
    }

    fn with_own_ports(&self, commands: &str) -> String {
        PORTS.iter().zip(&self.ports).fold(commands.to_owned(), |text, (page, own)| text.replace(page, own))
    }

    fn with_ports_of_page(&self, output: String) -> String {
        PORTS.iter().zip(&self.ports).fold(output, |text, (page, own)| text.replace(own.as_str(), page))
    }

    /// What jobs in the background have said, for whoever wants to know why something failed.
    pub(crate) fn logs(&self) -> String {
        let mut text = String::new();
        let mut folders = vec![self.directory.path().to_owned()];
        while let Some(folder) = folders.pop() {
            for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
                if path.is_dir() {
                    folders.push(path);
                } else if path.extension().is_some_and(|extension| extension == "log") {
                    text += &format!("{}:\n{}\n", path.display(), fs::read_to_string(&path).unwrap_or_default());
                }
            }
        }
        text
    }
}

/// Two ports that are free now.
fn free_ports() -> [String; 2] {
    let listeners = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port().to_string())
}

impl Drop for Shell {
    fn drop(&mut self) {
        let group = format!("-{}", self.bash.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).stderr(Stdio::null()).status();
        let _ = self.bash.wait();
    }
}
