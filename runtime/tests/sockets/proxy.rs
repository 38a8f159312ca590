//! A proxy that counts: connections, and pieces that the client wrote.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Default)]
pub(crate) struct Counts {
    connections: AtomicUsize,
    pieces: AtomicUsize,
}

impl Counts {
    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    pub(crate) fn pieces(&self) -> usize {
        self.pieces.load(Ordering::SeqCst)
    }
}

/// Passes on everything between those who connect to `listen` and `target`.
pub(crate) async fn start(listen: SocketAddr, target: SocketAddr) -> std::io::Result<Arc<Counts>> {
    let listener = TcpListener::bind(listen).await?;
    let counts = Arc::new(Counts::default());
    let shared = Arc::clone(&counts);
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            shared.connections.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(pass(client, target, Arc::clone(&shared)));
        }
    });
    Ok(counts)
}

async fn pass(client: TcpStream, target: SocketAddr, counts: Arc<Counts>) -> std::io::Result<()> {
    let server = TcpStream::connect(target).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    tokio::spawn(async move { tokio::io::copy(&mut from_server, &mut to_client).await });
    let mut piece = vec![0; 1 << 16];
    loop {
        let length = from_client.read(&mut piece).await?;
        if length == 0 {
            return Ok(());
        }
        counts.pieces.fetch_add(1, Ordering::SeqCst);
        to_server.write_all(&piece[..length]).await?;
    }
}
