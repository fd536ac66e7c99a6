//! Where a request comes from.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
};

use axum::{
    extract::{ConnectInfo, FromRequestParts},
    http::{Extensions, HeaderMap, HeaderName, request::Parts},
};
use stoa_domain::limits;

use crate::App;

/// The IP address a request comes from: of the connection, or, where the operator names the header in which the proxy in
/// front writes it, of that header. No other header is believed: anybody can send one. Limits count by it, and people's lists of
/// sessions show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub Option<IpAddr>);

impl ClientAddress {
    /// From the parts of a request.
    pub fn of(app: &App, headers: &HeaderMap, extensions: &Extensions) -> Self {
        let peer = extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        let told = app.address_header.as_ref().and_then(|header| from_header(headers, header));
        // An address of the old protocol is written the same, whichever way it came.
        Self(told.or(peer).map(|address| address.to_canonical()))
    }

    /// As people read it; empty where it is not known.
    pub fn text(self) -> String {
        self.0.map(|address| address.to_string()).unwrap_or_default()
    }

    /// The network as limits count it.
    pub fn network(self) -> String {
        self.0.map_or_else(|| "unknown".to_owned(), limits::network)
    }
}

impl FromRequestParts<App> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        Ok(Self::of(app, &parts.headers, &parts.extensions))
    }
}

/// The last address of the header: the one that the nearest proxy wrote; what stands before it may be made up.
fn from_header(headers: &HeaderMap, name: &HeaderName) -> Option<IpAddr> {
    let last = headers.get_all(name).iter().next_back()?.to_str().ok()?.rsplit(',').next()?.trim();
    let with_port = || last.parse::<SocketAddr>().ok().map(|address| address.ip());
    last.parse().ok().or_else(with_port)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_the_nearest_proxy_wrote_is_believed() {
        let name = HeaderName::from_static("x-forwarded-for");
        let mut headers = HeaderMap::new();
        assert_eq!(from_header(&headers, &name), None);
        headers.append(&name, "198.51.100.1".parse().unwrap());
        headers.append(&name, "203.0.113.9, 192.0.2.7".parse().unwrap());
        assert_eq!(from_header(&headers, &name), "192.0.2.7".parse().ok());
        headers.append(&name, "[2001:db8::1]:443".parse().unwrap());
        assert_eq!(from_header(&headers, &name), "2001:db8::1".parse().ok());
        headers.append(&name, "nonsense".parse().unwrap());
        assert_eq!(from_header(&headers, &name), None);
    }
}
