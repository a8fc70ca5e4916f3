//! A machine on a network of its own: with the IP families a test chooses, and their losses.
//!
//! Everything here needs the process to be in a network and a mount namespace of its own, where it
//! may do as it likes; `cargo xtask ipv6` runs tests there. [`claim`] makes sure of it, so that
//! nobody's real network is touched.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;

use crate::run;

/// An IP family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    /// Both.
    pub const ALL: [Self; 2] = [Self::V4, Self::V6];

    /// Where servers are to listen for a [`Machine`]. From the blocks for documentation, which
    /// systems order like addresses of the real internet, unlike those for private networks.
    #[must_use]
    pub fn server(self) -> IpAddr {
        match self {
            Self::V4 => Ipv4Addr::new(192, 0, 2, 1).into(),
            Self::V6 => Ipv6Addr::new(0x2001, 0xdb8, 0x5333, 0, 0, 0, 0, 1).into(),
        }
    }

    fn machine(self) -> &'static str {
        match self {
            Self::V4 => "192.0.2.2",
            Self::V6 => "2001:db8:5333::2",
        }
    }

    fn prefix(self) -> &'static str {
        match self {
            Self::V4 => "24",
            Self::V6 => "64",
        }
    }

    fn flag(self) -> &'static str {
        match self {
            Self::V4 => "-4",
            Self::V6 => "-6",
        }
    }
}

/// Takes the network namespace that this process is in for tests.
///
/// # Panics
/// When it has an address already: then it is somebody's.
#[track_caller]
pub fn claim() {
    let addresses = text(Command::new("ip").args(["-oneline", "address"]));
    assert!(
        addresses.is_empty(),
        "this is no network namespace of the test's own; run `cargo xtask ipv6`\n{addresses}"
    );
    ip(&["link", "set", "lo", "up"]);
}

/// Makes `hosts` all of name service, for this process and those it starts. `folder` keeps the
/// files.
///
/// # Panics
/// When they cannot be laid over the system's.
#[track_caller]
pub fn resolve_only(hosts: &[(IpAddr, &str)], folder: &Path) {
    let lines: String = hosts
        .iter()
        .map(|(address, name)| format!("{address} {name}\n"))
        .collect();
    for (file, content) in [
        ("/etc/hosts", lines.as_str()),
        ("/etc/nsswitch.conf", "hosts: files\n"),
    ] {
        let ours = folder.join(file.trim_start_matches('/').replace('/', "-"));
        fs::write(&ours, content).expect("a file for name service");
        let mut mount = Command::new("mount");
        run::run(mount.arg("--bind").arg(&ours).arg(file)).ok();
    }
}

/// Takes a further address, as long as there is a [`Machine`].
///
/// # Panics
/// When it is taken already.
#[track_caller]
pub fn be_also(address: IpAddr) {
    let whole = if address.is_ipv6() { 128 } else { 32 };
    add_address("wire", &format!("{address}/{whole}"), ip);
}

/// Hands every connection that a [`Machine`] makes to `port` on to `server`, both ways, as long as
/// this process lives.
///
/// # Panics
/// When somebody listens there already.
#[track_caller]
pub fn serve(port: u16, server: SocketAddr) {
    // All addresses of both families, those included that a later machine's wire gets.
    let every = SocketAddr::from((Ipv6Addr::UNSPECIFIED, port));
    let listener = TcpListener::bind(every)
        .unwrap_or_else(|error| panic!("cannot listen at {every}: {error}"));
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            if let Ok(server) = TcpStream::connect(server) {
                join(&client, &server).ok();
            }
        }
    });
}

fn join(client: &TcpStream, server: &TcpStream) -> io::Result<()> {
    for (from, to) in [(client, server), (server, client)] {
        let (mut from, mut to) = (from.try_clone()?, to.try_clone()?);
        thread::spawn(move || {
            io::copy(&mut from, &mut to).ok();
            to.shutdown(Shutdown::Write).ok();
        });
    }
    Ok(())
}

/// A machine beside this one, with one wire to it. It shares files and processes with this one,
/// and nothing of the network. Dropped, it is gone.
#[derive(Debug)]
pub struct Machine {
    /// Keeps the machine's namespace.
    holder: Child,
}

impl Machine {
    /// One that knows these families, and has routes to everywhere for them.
    ///
    /// # Panics
    /// When there is one already, or the system makes no namespaces or virtual wires.
    #[must_use]
    #[track_caller]
    pub fn with(families: &[Family]) -> Self {
        let holder = Command::new("unshare")
            .args(["--net", "cat"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .expect("unshare runs");
        let machine = Self { holder };
        machine.wait_for_namespace();
        let id = machine.holder.id().to_string();
        ip(&[
            "link", "add", "wire", "type", "veth", "peer", "name", "eth0", "netns", &id,
        ]);
        ip(&["link", "set", "wire", "up"]);
        machine.ip(&["link", "set", "lo", "up"]);
        machine.ip(&["link", "set", "eth0", "up"]);
        for family in Family::ALL {
            let server = format!("{}/{}", family.server(), family.prefix());
            add_address("wire", &server, ip);
        }
        for &family in families {
            let own = format!("{}/{}", family.machine(), family.prefix());
            add_address("eth0", &own, |words| machine.ip(words));
            let gateway = family.server().to_string();
            machine.ip(&[family.flag(), "route", "add", "default", "via", &gateway]);
        }
        machine
    }

    /// Lets packets of `family` get lost without a word from anybody, as a bad firewall does.
    ///
    /// # Panics
    /// When the system does not let us.
    #[track_caller]
    pub fn lose(&self, family: Family) {
        // An address that no card has: nobody takes the packets, and nobody says so.
        let nobody = "02:00:00:00:00:66";
        let server = family.server().to_string();
        self.ip(&[
            "neigh",
            "replace",
            &server,
            "lladdr",
            nobody,
            "dev",
            "eth0",
            "nud",
            "permanent",
        ]);
    }

    /// Ends all losses.
    ///
    /// # Panics
    /// When the system does not let us.
    #[track_caller]
    pub fn lose_nothing(&self) {
        self.ip(&["neigh", "flush", "dev", "eth0", "nud", "permanent"]);
    }

    /// `command` on this machine, with its variables and no others.
    #[must_use]
    pub fn command(&self, command: &Command) -> Command {
        let mut words = vec![
            OsString::from("nsenter"),
            format!("--net=/proc/{}/ns/net", self.holder.id()).into(),
        ];
        words.push(command.get_program().into());
        run::wrapped(&words, command)
    }

    #[track_caller]
    fn ip(&self, words: &[&str]) {
        let mut command = Command::new("ip");
        command.args(words);
        command.env("PATH", std::env::var_os("PATH").unwrap_or_default());
        run::run(&mut self.command(&command)).ok();
    }

    #[track_caller]
    fn wait_for_namespace(&self) {
        let namespace = |id: &str| fs::read_link(format!("/proc/{id}/ns/net")).ok();
        let id = self.holder.id().to_string();
        let mut polls = 0;
        while namespace(&id) == namespace("self") {
            assert!(polls < 1000, "unshare makes no network namespace");
            polls += 1;
            thread::sleep(std::time::Duration::from_millis(10));
        }
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        drop(self.holder.stdin.take());
        self.holder.wait().ok();
        // The namespace goes some time after its last process; the next machine wants the name.
        drop(Command::new("ip").args(["link", "del", "wire"]).output());
    }
}

#[track_caller]
fn add_address(card: &str, address: &str, ip: impl Fn(&[&str])) {
    // Looking for somebody else with the same address takes a second.
    let flags: &[&str] = if address.contains(':') {
        &["nodad"]
    } else {
        &[]
    };
    ip(&[&["address", "add", address, "dev", card], flags].concat());
}

#[track_caller]
fn ip(words: &[&str]) {
    run::run(Command::new("ip").args(words)).ok();
}

#[track_caller]
fn text(command: &mut Command) -> String {
    run::run(command).ok().stdout
}
