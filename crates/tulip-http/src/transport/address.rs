//! The addresses that downloads may come from. The author of a URL must not be able to send this
//! machine to hosts that only it can reach.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use url::{Host, Url};

/// A range of addresses that downloads may come from: `10.0.0.0/8`, `fd12::/16`, or one address.
///
/// ```
/// use tulip_http::Cidr;
/// let network: Cidr = "10.20.0.0/16".parse()?;
/// assert!(network.contains("10.20.3.4".parse()?));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Cidr(IpNet);

/// The error for a text that is not a [`Cidr`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a network, such as 10.20.0.0/16, fd12::/16 or 10.20.3.4")]
pub struct CidrError;

impl Cidr {
    /// Returns whether `address` is in this range.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Cidr {
    type Err = CidrError;
    fn from_str(text: &str) -> Result<Self, CidrError> {
        let text = text.trim();
        let one = || text.parse::<IpAddr>().map(IpNet::from).ok();
        let network = text.parse::<IpNet>().ok().or_else(one);
        network
            .map(|network| Self(network.trunc()))
            .ok_or(CidrError)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The reach of an address: who can connect to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum AddressClass {
    /// Everybody.
    Public,
    /// A plant's own network.
    Private,
    /// Only this machine.
    Loopback,
    /// Machines on the same link.
    LinkLocal,
    /// A cloud's machines, to learn their identity: this service holds credentials.
    Metadata,
    /// Nobody, or many (multicast).
    Reserved,
}

/// Cloud services that hand out a machine's credentials.
const METADATA_V4: [Ipv4Addr; 6] = [
    // AWS, Google, Azure and most others.
    Ipv4Addr::new(169, 254, 169, 254),
    // AWS: credentials of containers and pods.
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    // Alibaba.
    Ipv4Addr::new(100, 100, 100, 200),
    // Azure's WireServer.
    Ipv4Addr::new(168, 63, 129, 16),
    // Oracle.
    Ipv4Addr::new(192, 0, 0, 192),
];
const METADATA_V6: [Ipv6Addr; 3] = [
    // AWS: instances, pods.
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    // Google.
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
];

impl AddressClass {
    fn of(address: IpAddr) -> Self {
        match address {
            IpAddr::V4(address) => Self::of_v4(address),
            IpAddr::V6(address) => Self::of_v6(address),
        }
    }

    fn of_v4(address: Ipv4Addr) -> Self {
        let [a, b, c, _] = address.octets();
        if METADATA_V4.contains(&address) {
            Self::Metadata
        } else if address.is_loopback() {
            Self::Loopback
        } else if address.is_private() || (a == 100 && b & 0xc0 == 64) {
            Self::Private
        } else if address.is_link_local() {
            Self::LinkLocal
        } else if a == 0
            || a >= 224
            || (a, b, c) == (192, 0, 0)
            || (a == 198 && b & 0xfe == 18)
            || address.is_documentation()
        {
            Self::Reserved
        } else {
            Self::Public
        }
    }

    fn of_v6(address: Ipv6Addr) -> Self {
        if let Some(inner) = embedded(address) {
            return Self::of_v4(inner);
        }
        let [a, b, ..] = address.segments();
        if METADATA_V6.contains(&address) {
            Self::Metadata
        } else if address.is_loopback() {
            Self::Loopback
        } else if address.is_unique_local()
            || a & 0xffc0 == 0xfec0
            || (a, b, address.segments()[2]) == (0x64, 0xff9b, 1)
        {
            Self::Private
        } else if address.is_unicast_link_local() {
            Self::LinkLocal
        } else if a & 0xe000 != 0x2000 || (a, b) == (0x2001, 0) || (a, b) == (0x2001, 0xdb8) {
            Self::Reserved
        } else {
            Self::Public
        }
    }

    fn what(self) -> &'static str {
        match self {
            Self::Public => "a public address",
            Self::Private => "an address of a private network",
            Self::Loopback => "this machine itself",
            Self::LinkLocal => "an address of the local link",
            Self::Metadata => "the metadata service of a cloud",
            Self::Reserved => "a reserved address",
        }
    }
}

/// Returns the IPv4 address where packets to `address` end: mapped, compatible, NAT64 or 6to4.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = address.octets();
    let four = |at: usize| Ipv4Addr::new(bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]);
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 0 | 1] => None,
        [0, 0, 0, 0, 0, 0 | 0xffff, ..] | [0x64, 0xff9b, 0, 0, 0, 0, ..] => Some(four(12)),
        [0x2002, ..] => Some(four(2)),
        _ => None,
    }
}

/// An address that downloads must not use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{address} is {what}, where the API is not")]
pub(crate) struct RefusedAddress {
    address: IpAddr,
    what: &'static str,
}

/// Lets downloads reach public addresses, those of the same class as the API's own (if metadata or
/// reserved, only the API's own), and those that the user allows.
pub(crate) struct AddressPolicy {
    /// A URL of the API.
    home: Url,
    allowed: Vec<Cidr>,
}

impl AddressPolicy {
    pub(crate) fn new(home: Url, allowed: Vec<Cidr>) -> Self {
        Self { home, allowed }
    }

    /// Refuses a URL whose host is a forbidden address. A name is checked when it is resolved.
    pub(crate) async fn check(&self, url: &Url) -> Result<(), RefusedAddress> {
        let address = match url.host() {
            Some(Host::Ipv4(address)) => IpAddr::V4(address),
            Some(Host::Ipv6(address)) => IpAddr::V6(address),
            Some(Host::Domain(_)) | None => return Ok(()),
        };
        self.pass(vec![address]).await.map(|_| ())
    }

    /// Returns those of `addresses` that may be reached, or an error if all are refused.
    async fn pass<A: Into<IpAddr> + Copy>(
        &self,
        addresses: Vec<A>,
    ) -> Result<Vec<A>, RefusedAddress> {
        let mut passed = Vec::new();
        let mut refused = None;
        let mut home = None;
        for candidate in addresses {
            let address: IpAddr = candidate.into();
            let class = AddressClass::of(address);
            let free = class == AddressClass::Public
                || self.allowed.iter().any(|network| network.contains(address));
            if !free {
                if home.is_none() {
                    home = Some(self.home().await);
                }
                let is_home = home.iter().flatten().any(|&own| match class {
                    AddressClass::Metadata | AddressClass::Reserved => own == address,
                    _ => AddressClass::of(own) == class,
                });
                if !is_home {
                    refused = Some(RefusedAddress {
                        address,
                        what: class.what(),
                    });
                    continue;
                }
            }
            passed.push(candidate);
        }
        match refused {
            Some(refused) if passed.is_empty() => Err(refused),
            _ => Ok(passed),
        }
    }

    /// Returns the API's addresses, or none if its name cannot be resolved.
    async fn home(&self) -> Vec<IpAddr> {
        match self.home.host() {
            Some(Host::Ipv4(address)) => vec![IpAddr::V4(address)],
            Some(Host::Ipv6(address)) => vec![IpAddr::V6(address)],
            Some(Host::Domain(name)) => match tokio::net::lookup_host((name, 0)).await {
                Ok(found) => found.map(|address| address.ip()).collect(),
                Err(_) => Vec::new(),
            },
            None => Vec::new(),
        }
    }

    async fn look_up(
        &self,
        name: &str,
    ) -> Result<Vec<SocketAddr>, Box<dyn std::error::Error + Send + Sync>> {
        let found: Vec<SocketAddr> = tokio::net::lookup_host((name, 0)).await?.collect();
        let ports: Vec<Target> = found.into_iter().map(Target).collect();
        let passed = self.pass(ports).await?;
        Ok(passed.into_iter().map(|target| target.0).collect())
    }
}

#[derive(Clone, Copy)]
struct Target(SocketAddr);

impl From<Target> for IpAddr {
    fn from(target: Target) -> Self {
        target.0.ip()
    }
}

/// Resolves names for direct connections, so that only checked addresses are connected to.
pub(crate) struct FilteringResolver(pub(crate) Arc<AddressPolicy>);

impl Resolve for FilteringResolver {
    fn resolve(&self, name: Name) -> Resolving {
        let policy = self.0.clone();
        Box::pin(async move {
            let found = policy.look_up(name.as_str()).await?;
            let addresses: Addrs = Box::new(found.into_iter());
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn class(text: &str) -> AddressClass {
        AddressClass::of(text.parse().unwrap())
    }

    #[test]
    fn addresses_are_classed_by_who_reaches_them() {
        for (expected, addresses) in [
            (
                AddressClass::Public,
                "1.1.1.1 52.216.1.1 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 2606:4700::1111 \
                 64:ff9b::101:101 2002:101:101::1 ::ffff:1.1.1.1",
            ),
            (
                AddressClass::Private,
                "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 100.64.0.1 fd12::1 fc00::1 fec0::1 \
                 ::ffff:10.0.0.1 64:ff9b::a00:1 64:ff9b:1::a00:1 2002:a00:1::1",
            ),
            (
                AddressClass::Loopback,
                "127.0.0.1 127.255.0.3 ::1 ::ffff:127.0.0.1 ::127.0.0.1 64:ff9b::7f00:1",
            ),
            (
                AddressClass::LinkLocal,
                "169.254.1.1 fe80::1 ::ffff:169.254.1.1",
            ),
            (
                AddressClass::Metadata,
                "169.254.169.254 169.254.170.2 169.254.170.23 100.100.100.200 168.63.129.16 \
                 192.0.0.192 fd00:ec2::254 fd00:ec2::23 fd20:ce::254 ::ffff:169.254.169.254 \
                 64:ff9b::a9fe:a9fe 2002:a9fe:a9fe::",
            ),
            (
                AddressClass::Reserved,
                "0.0.0.0 0.1.2.3 224.0.0.1 255.255.255.255 240.0.0.1 192.0.0.1 198.18.0.1 \
                 192.0.2.1 203.0.113.9 :: ff02::1 2001::1 2001:db8::1 100::1",
            ),
        ] {
            for address in addresses.split_whitespace() {
                assert_eq!(class(address), expected, "{address}");
            }
        }
    }

    #[test]
    fn a_network_is_a_range_or_one_address() {
        let network = |text: &str| text.parse::<Cidr>();
        assert!(
            network("10.1.2.3/8")
                .unwrap()
                .contains([10, 9, 9, 9].into())
        );
        assert_eq!(network(" 10.1.2.3/8 ").unwrap().to_string(), "10.0.0.0/8");
        assert_eq!(network("10.1.2.3").unwrap().to_string(), "10.1.2.3/32");
        assert_eq!(network("fd12::/16").unwrap().to_string(), "fd12::/16");
        for wrong in ["", "10.0.0.0/33", "plant.example", "10.0.0", "*"] {
            assert_eq!(network(wrong), Err(CidrError), "{wrong}");
        }
    }

    fn policy(home: &str, allowed: &[&str]) -> AddressPolicy {
        let allowed = allowed.iter().map(|text| text.parse().unwrap());
        AddressPolicy::new(home.parse().unwrap(), allowed.collect())
    }

    async fn passes(policy: &AddressPolicy, host: &str) -> bool {
        let url = format!("http://{host}/x").parse().unwrap();
        policy.check(&url).await.is_ok()
    }

    #[tokio::test]
    async fn only_the_kind_of_network_that_the_api_is_on_is_reached() {
        let out = policy("https://9.9.9.9", &[]);
        let home = policy("http://10.0.0.1", &[]);
        let here = policy("http://localhost:9", &[]);
        let cloud = policy("http://169.254.169.254", &[]);
        for (host, expected) in [
            ("8.8.8.8", [true; 4]),
            ("10.2.3.4", [false, true, false, false]),
            ("127.0.0.1", [false, false, true, false]),
            // Other ways to write addresses in URLs.
            ("2130706433", [false, false, true, false]),
            ("0x7f.1", [false, false, true, false]),
            ("[::ffff:7f00:1]", [false, false, true, false]),
            ("169.254.7.7", [false; 4]),
            ("169.254.169.254", [false, false, false, true]),
            ("100.100.100.200", [false; 4]),
            ("0.0.0.0", [false; 4]),
        ] {
            let found = [
                passes(&out, host).await,
                passes(&home, host).await,
                passes(&here, host).await,
                passes(&cloud, host).await,
            ];
            assert_eq!(found, expected, "{host}");
        }
    }

    #[tokio::test]
    async fn what_the_user_allows_is_reached() {
        let policy = policy("https://9.9.9.9", &["10.20.0.0/16", "169.254.169.254"]);
        assert!(passes(&policy, "10.20.1.1").await && passes(&policy, "169.254.169.254").await);
        assert!(!passes(&policy, "10.21.1.1").await && !passes(&policy, "169.254.169.253").await);
    }

    #[tokio::test]
    async fn names_are_filtered_by_their_addresses() {
        let policy = policy("https://9.9.9.9", &[]);
        assert!(passes(&policy, "localhost").await, "by its name alone");
        let refused = policy.look_up("localhost").await.unwrap_err();
        let refused = refused.downcast_ref::<RefusedAddress>().unwrap();
        assert_eq!(refused.what, "this machine itself");
    }

    #[tokio::test]
    async fn a_host_of_both_kinds_is_reached_at_its_public_address() {
        let policy = policy("https://9.9.9.9", &[]);
        let both: Vec<IpAddr> = vec![[127, 0, 0, 1].into(), [8, 8, 8, 8].into()];
        let public: Vec<IpAddr> = vec![[8, 8, 8, 8].into()];
        assert_eq!(policy.pass(both).await, Ok(public));
    }

    proptest! {
        #[test]
        fn an_address_reaches_as_far_in_every_disguise(bytes in any::<[u8; 4]>()) {
            let plain = Ipv4Addr::from(bytes);
            let [a, b, c, d] = bytes.map(u16::from);
            let (high, low) = (a << 8 | b, c << 8 | d);
            for disguise in [
                plain.to_ipv6_mapped(),
                Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, high, low),
                Ipv6Addr::new(0x2002, high, low, 0, 0, 0, 0, 1),
            ] {
                prop_assert_eq!(AddressClass::of(disguise.into()), AddressClass::of(plain.into()));
            }
        }
    }
}
