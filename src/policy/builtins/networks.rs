//! Addresses and networks. An IPv4 address in IPv6's clothes is the IPv4 address, as in Go.

use std::net::IpAddr;

use regorus::Value;

use super::numbers::set;
use super::{Answer, engines_own, string};

#[derive(Clone, Copy)]
struct Network {
    /// All of its addresses begin as this one does.
    address: u128,
    length: u32,
    bits: u32,
}

impl Network {
    /// A network, or an address as the network of itself.
    fn read(text: &str) -> Option<Self> {
        let (address, length) = match text.split_once('/') {
            Some((address, length)) => (address, Some(length.parse::<u32>().ok()?)),
            None => (text, None),
        };
        let parsed: IpAddr = address.parse().ok()?;
        let own = if parsed.is_ipv4() { 32 } else { 128 };
        let length = length.unwrap_or(own);
        if length > own {
            return None;
        }
        let (address, length, bits) = match parsed.to_canonical() {
            IpAddr::V4(v4) if own == 128 => (u128::from(v4.to_bits()), length.checked_sub(96)?, 32),
            IpAddr::V4(v4) => (u128::from(v4.to_bits()), length, 32),
            IpAddr::V6(v6) => (v6.to_bits(), length, 128),
        };
        Some(Self {
            address,
            length,
            bits,
        })
    }

    fn contains(self, other: Self) -> bool {
        self.bits == other.bits
            && self.length <= other.length
            && prefix(self.address, self) == prefix(other.address, self)
    }
}

fn prefix(address: u128, network: Network) -> u128 {
    address
        .checked_shr(network.bits - network.length)
        .unwrap_or_default()
}

fn pair(arguments: &[Value]) -> Option<(Network, Network)> {
    let network = string(arguments.first()).filter(|text| text.contains('/'))?;
    Some((
        Network::read(network)?,
        Network::read(string(arguments.get(1))?)?,
    ))
}

pub(super) fn contains(arguments: &[Value]) -> Answer {
    Ok(pair(arguments).map(|(network, other)| network.contains(other).into()))
}

pub(super) fn intersects(arguments: &[Value]) -> Answer {
    let both =
        pair(arguments).filter(|_| string(arguments.get(1)).is_some_and(|t| t.contains('/')));
    Ok(both.map(|(left, right)| (left.contains(right) || right.contains(left)).into()))
}

/// Which of the networks hold which of the others: pairs of their indexes, keys or texts.
pub(super) fn contains_matches(arguments: &[Value]) -> Answer {
    let named = |value: Option<&Value>| -> Option<Vec<(Value, String)>> {
        let text = |value: &Value| match value {
            Value::String(text) => Some(text.to_string()),
            Value::Array(items) => string(items.first()).map(str::to_owned),
            _ => None,
        };
        match value? {
            own @ Value::String(_) => Some(vec![(own.clone(), text(own)?)]),
            Value::Array(items) => (0_usize..)
                .zip(items.iter())
                .map(|(index, item)| Some((Value::from(index), text(item)?)))
                .collect(),
            Value::Set(items) => items
                .iter()
                .map(|item| Some((item.clone(), text(item)?)))
                .collect(),
            Value::Object(fields) => fields
                .iter()
                .map(|(key, item)| Some((key.clone(), text(item)?)))
                .collect(),
            _ => None,
        }
    };
    let (Some(networks), Some(others)) = (named(arguments.first()), named(arguments.get(1))) else {
        return Ok(None);
    };
    let mut found = Vec::new();
    for (key, network) in &networks {
        for (other_key, other) in &others {
            let Some((network, other)) = Network::read(network).zip(Network::read(other)) else {
                return Ok(None);
            };
            if network.contains(other) {
                found.push(Value::from(vec![key.clone(), other_key.clone()]));
            }
        }
    }
    Ok(Some(super::numbers::set(found.into_iter())))
}

/// As a set; what has more than 65,536 addresses fails the policy.
pub(super) fn expand(arguments: &[Value]) -> Answer {
    let Some(range) = string(arguments.first()) else {
        return Ok(None);
    };
    let width = if range.contains(':') { 128u32 } else { 32 };
    let length = range
        .split_once('/')
        .and_then(|(_, length)| length.parse().ok());
    if length.is_some_and(|length: u32| width.saturating_sub(length) > 16) {
        return Err(format!("{range} has more than 65,536 addresses"));
    }
    Ok(match engines_own("net.cidr_expand", arguments)? {
        Some(Value::Array(items)) => Some(set(items.iter().cloned())),
        other => other,
    })
}
