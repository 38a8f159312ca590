//! Runs the order service until it is told to stop (SIGINT, SIGTERM), or has billed as many orders as it shall:
//! `cargo run --release -p stgclient-order-service -- --embedded 100`, no server needed, or with the address of a name server.

use std::error::Error;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;

use stgclient::Client;
use stgclient_order_service::{Audit, Order, OrderService, Reason};
use tokio::time::interval;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let mut arguments = std::env::args().skip(1);
    let (client, folder) = match arguments.next().as_deref() {
        // Its offsets begin anew each time.
        Some("--embedded") => {
            (Client::embedded().await?, std::env::temp_dir().join(format!("audit-{}", std::process::id())))
        }
        Some(name_servers) => (Client::connect(name_servers).await?, PathBuf::from("audit")),
        None => return Err("give the address of a name server, host:port, or --embedded".into()),
    };
    let wanted = arguments.next().map_or(Ok(u64::MAX), |count| count.parse())?;

    let service = OrderService::start(&client, price).await?;
    let mut audit = Audit::open(&client, &folder).await?;
    let (mut customers, mut looks) = (interval(Duration::from_millis(10)), interval(Duration::from_secs(1)));
    let (mut stop, mut placed) = (pin!(asked_to_stop()), 0);
    loop {
        tokio::select! {
            stopped = &mut stop => break stopped?,
            _ = customers.tick(), if placed < wanted => {
                let order = Order { id: format!("{placed}"), customer: format!("customer-{}", placed % 7), goods: "tea".into() };
                match service.place(&order).await {
                    Ok(_) => placed += 1,
                    Err(error) => tracing::error!(order.id, %error, "is not placed, and is tried again"),
                }
            }
            _ = looks.tick() => {
                let health = service.health();
                println!("{health}");
                if placed == wanted && health.lag == Some(0) {
                    break;
                }
            }
        }
    }

    for order in service.stop().await {
        tracing::warn!(?order, "is not billed yet");
    }
    let (mut bills, mut cents) = (0, 0);
    audit.catch_up(|bill| (bills, cents) = (bills + 1, cents + bill.cents)).await?;
    println!("{placed} orders placed, {bills} bills audited, {cents} cents");
    client.close().await;
    Ok(())
}

fn price(order: &Order) -> Result<u64, Reason> {
    match order.goods.as_str() {
        "tea" => Ok(250),
        goods => Err(format!("{goods} has no price").into()),
    }
}

/// Waits for SIGINT or SIGTERM.
#[cfg(unix)]
async fn asked_to_stop() -> std::io::Result<()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::select! {
        _ = interrupt.recv() => Ok(()),
        _ = terminate.recv() => Ok(()),
    }
}

/// Waits for Ctrl-C.
#[cfg(not(unix))]
async fn asked_to_stop() -> std::io::Result<()> {
    tokio::signal::ctrl_c().await
}
