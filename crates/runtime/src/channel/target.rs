//! A backend's name and the addresses behind it.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use http::Uri;
use http::uri::Authority;
use tokio::net::lookup_host;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::ChannelOptions;
use super::connection::{self, Dialer};
use super::links::Links;
use crate::config::Period;

/// Shortest time between two resolutions that lost connections ask for.
const LEAST_INTERVAL: Period = Period::millis(500);

/// Where a channel leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) authority: Authority,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) tls: bool,
}

/// A text that is no target.
#[derive(Debug, thiserror::Error)]
#[error("`{0}` is not an address of a backend: write host:port, http://host:port or https://host:port")]
pub struct InvalidTarget(String);

impl Target {
    pub(super) fn parse(text: &str) -> Result<Self, InvalidTarget> {
        let invalid = || InvalidTarget(text.to_owned());
        let with_scheme = if text.contains("://") { text.to_owned() } else { format!("http://{text}") };
        let uri: Uri = with_scheme.parse().map_err(|_| invalid())?;
        let tls = match uri.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(invalid()),
        };
        let authority = uri.authority().ok_or_else(invalid)?.clone();
        let port = authority.port_u16().ok_or_else(invalid)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if !matches!(uri.path(), "" | "/") || host.is_empty() || authority.as_str().contains('@') {
            return Err(invalid());
        }
        Ok(Self { authority, host, port, tls })
    }

    async fn resolve(&self, options: &ChannelOptions) -> Result<Vec<SocketAddr>, String> {
        if let Ok(ip) = self.host.parse::<IpAddr>() {
            return Ok(vec![SocketAddr::new(ip, self.port)]);
        }
        let found =
            timeout(options.connect_timeout.get(), lookup_host((self.host.as_str(), self.port))).await;
        let mut addresses: Vec<_> =
            found.map_err(|_| "timed out".to_owned())?.map_err(|error| error.to_string())?.collect();
        addresses.sort_unstable();
        addresses.dedup();
        addresses.truncate(options.max_addresses);
        Ok(addresses)
    }
}

/// Keeps connections to all addresses of a target until `stop`: new addresses are dialled, vanished ones let go. A
/// name that does not resolve for a while keeps the addresses it had.
pub(super) async fn follow(
    target: Target,
    dialer: Dialer,
    options: ChannelOptions,
    links: Arc<Links>,
    stop: CancellationToken,
) {
    let mut dialled: HashMap<SocketAddr, CancellationToken> = HashMap::new();
    let mut failing = false;
    loop {
        match target.resolve(&options).await {
            Ok(addresses) => {
                failing = false;
                dialled.retain(|address, stop| {
                    let stays = addresses.contains(address);
                    if !stays {
                        stop.cancel();
                    }
                    stays
                });
                for address in addresses {
                    dialled.entry(address).or_insert_with(|| {
                        let stop = stop.child_token();
                        for _ in 0..options.connections.max(1) {
                            let links = Arc::clone(&links);
                            tokio::spawn(connection::keep(dialer.clone(), address, links, stop.clone()));
                        }
                        stop
                    });
                }
            }
            Err(error) => {
                links.failed(format!("{}: {error}", target.authority));
                if !failing {
                    tracing::warn!(target = %target.authority, error = %error, "backend's name does not resolve");
                }
                failing = true;
            }
        }
        let resolved = Instant::now();
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep_until(resolved + options.resolve_interval.get()) => {}
            () = links.lost() => {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = sleep_until(resolved + LEAST_INTERVAL.get()) => {}
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_names_or_addresses_with_a_port() {
        let target = Target::parse("calls.shouwen.svc:50052").unwrap();
        assert_eq!((target.host.as_str(), target.port, target.tls), ("calls.shouwen.svc", 50052, false));
        assert!(Target::parse("https://[::1]:443/").unwrap().tls);
        assert_eq!(Target::parse("http://[::1]:443").unwrap().host, "::1");
    }

    #[test]
    fn what_is_not_a_target_is_refused() {
        for text in
            ["", "calls", "ftp://calls:1", "http://calls:1/path", "http://u:p@calls:1", "calls:99999", ":1"]
        {
            assert!(Target::parse(text).is_err(), "{text}");
        }
    }
}
