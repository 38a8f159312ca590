//! Apache's servers, each on a few connections.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::time::{Duration, Instant};

use stgclient_core::wire::command::{Command, HeaderCodec};
use stgclient_core::wire::frame::{DEFAULT_MAX_FRAME_LENGTH, FrameReader};
use stgclient_tests::variable;

use crate::places::Places;
use crate::request::{self, Request, Server};
use crate::view::{Told, View};

/// How many connections lead to each server.
pub(crate) const CLIENTS: usize = 3;
/// How long a server may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Apache {
    connections: Vec<(Server, TcpStream)>,
    came: Receiver<(usize, Option<Command>)>,
    opaque: i32,
    told: BTreeMap<Told, usize>,
    places: Places,
}

impl Apache {
    pub(crate) fn connect() -> Self {
        let (sender, came) = mpsc::channel();
        let mut connections = Vec::new();
        for server in [Server::NameServer, Server::Broker] {
            for _ in 0..CLIENTS {
                let stream = TcpStream::connect(address(server)).expect("the server takes connections");
                stream.set_nodelay(true).expect("an option of the socket");
                let index = connections.len();
                listen(index, stream.try_clone().expect("a second handle"), sender.clone());
                connections.push((server, stream));
            }
        }
        Self { connections, came, opaque: 0, told: BTreeMap::new(), places: Places::new() }
    }

    /// The address at which the server knows a client.
    pub(crate) fn client_address(&self, server: Server, client: usize) -> SocketAddr {
        self.connections[self.place(server, client)].1.local_addr().expect("an address")
    }

    /// What it answers.
    pub(crate) fn ask(&mut self, request: &Request) -> View {
        let answer = self.answer(request);
        View::of(request, answer.as_ref(), &mut self.places)
    }

    /// Waits until the broker has put into its queues what was sent.
    pub(crate) fn settle(&mut self) {
        let until = Instant::now() + PATIENCE;
        let (server, code, codec) = (Server::Broker, 28, HeaderCodec::Json);
        let request = Request { server, client: 0, code, fields: Vec::new(), body: Vec::new(), codec };
        loop {
            let answer = self.answer(&request).expect("the broker tells of itself");
            if String::from_utf8_lossy(&answer.body).contains("\"dispatchBehindBytes\":\"0\"") {
                return;
            }
            assert!(Instant::now() < until, "the broker is still behind");
            self.wait();
        }
    }

    /// The answer, and `None` if there is none.
    fn answer(&mut self, request: &Request) -> Option<Command> {
        self.opaque += 1;
        let opaque = self.opaque;
        let place = self.place(request.server, request.client);
        self.connections[place].1.write_all(&request.encoded(opaque, &self.places)).expect("the server reads");
        let until = Instant::now() + PATIENCE;
        loop {
            match self.came.recv_timeout(until.saturating_duration_since(Instant::now())) {
                Ok((at, None)) => panic!("the server closed connection {at} on {request}"),
                Ok((at, Some(command))) if at == place && command.is_response() && command.opaque == opaque => {
                    return Some(command);
                }
                Ok((at, Some(command))) => self.take(at, &command),
                Err(RecvTimeoutError::Timeout) => return None,
                Err(RecvTimeoutError::Disconnected) => panic!("all connections are closed"),
            }
        }
    }

    /// Waits for a moment for what the servers say without being asked.
    pub(crate) fn wait(&mut self) {
        if let Ok((at, Some(command))) = self.came.recv_timeout(Duration::from_millis(20)) {
            self.take(at, &command);
        }
    }

    /// What the servers have asked of clients and told them, and how often.
    pub(crate) const fn told(&self) -> &BTreeMap<Told, usize> {
        &self.told
    }

    fn take(&mut self, at: usize, command: &Command) {
        if command.is_response() {
            return;
        }
        *self.told.entry(Told::of(at % CLIENTS, command, &self.places)).or_default() += 1;
        if !command.is_oneway() {
            let answer = request::answer(command.code, command.opaque);
            self.connections[at].1.write_all(&answer).expect("the server reads");
        }
    }

    fn place(&self, server: Server, client: usize) -> usize {
        let first = self.connections.iter().position(|(known, _)| *known == server).expect("every server is connected");
        first + client
    }
}

/// Where Apache's server listens, `host:port`.
pub(crate) fn address(server: Server) -> String {
    variable(match server {
        Server::NameServer => "STGCLIENT_NAME_SERVER",
        Server::Broker => "STGCLIENT_BROKER",
    })
}

fn listen(index: usize, mut stream: TcpStream, sender: Sender<(usize, Option<Command>)>) {
    std::thread::spawn(move || {
        let mut reader = FrameReader::new(DEFAULT_MAX_FRAME_LENGTH);
        let mut bytes = vec![0; 65_536];
        loop {
            let count = stream.read(&mut bytes).unwrap_or_default();
            if count == 0 {
                _ = sender.send((index, None));
                return;
            }
            reader.extend(&bytes[..count]);
            while let Some(command) = reader.next_command().expect("the server's bytes are frames") {
                if sender.send((index, Some(command))).is_err() {
                    return;
                }
            }
        }
    });
}
