//! Functions of address ranges, as Terraform counts in them.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::Context;
use crate::module::value::{Type, Value};

/// A range of addresses: those whose first `length` of `width` bits are those of `base`.
#[derive(Clone, Copy)]
struct Network {
    base: u128,
    length: u32,
    width: u32,
}

impl Network {
    fn parse(context: &Context<'_>) -> Result<Self, String> {
        let text = &*context.text(0)?;
        let wrong = || format!("{text:?} is no range of addresses such as 10.0.0.0/8");
        let (address, length) = text.split_once('/').ok_or_else(wrong)?;
        let is_number = length.bytes().all(|byte| byte.is_ascii_digit());
        let length: u32 = length.parse().map_err(|_| wrong())?;
        let address = match address.contains(':') {
            true => address.to_owned(),
            false => without_leading_zeros(address),
        };
        let (bits, width) = match address.parse().map_err(|_| wrong())? {
            IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
            IpAddr::V6(address) if address.to_ipv4_mapped().is_some() => {
                return Err(context.refusal(format!("{text:?} is of IPv4: write it as such")));
            }
            IpAddr::V6(address) => (address.to_bits(), 128),
        };
        if !is_number || length > width {
            return Err(wrong());
        }
        let whole = Self {
            base: 0,
            length,
            width,
        };
        Ok(Self {
            base: bits & !whole.last_host(),
            ..whole
        })
    }

    /// The number of its last address, counted from 0.
    fn last_host(self) -> u128 {
        ones(self.width - self.length)
    }

    fn address(self, bits: u128) -> Result<IpAddr, String> {
        if self.width == 128 {
            return Ok(Ipv6Addr::from_bits(bits).into());
        }
        let bits = u32::try_from(bits).map_err(|_| "the address is out of range".to_owned())?;
        Ok(Ipv4Addr::from_bits(bits).into())
    }

    /// The length of a part whose prefix is `new_bits` longer.
    fn extended(self, new_bits: i64) -> Result<u32, String> {
        u32::try_from(new_bits)
            .ok()
            .and_then(|bits| self.length.checked_add(bits))
            .filter(|length| *length <= self.width)
            .ok_or_else(|| {
                let (length, width) = (self.length, self.width);
                format!("a prefix of {length} of {width} bits cannot be extended by {new_bits}")
            })
    }

    fn written(self, base: u128, length: u32) -> Result<String, String> {
        Ok(format!("{}/{length}", self.address(base)?))
    }
}

/// An address of IPv4 as Rust reads it: Terraform's may have zeros in front of each number.
fn without_leading_zeros(address: &str) -> String {
    let plain = |number: &str| match number.trim_start_matches('0') {
        "" if !number.is_empty() => "0".to_owned(),
        rest => rest.to_owned(),
    };
    let numbers: Vec<String> = address.split('.').map(plain).collect();
    numbers.join(".")
}

/// The number whose last `count` bits are set.
fn ones(count: u32) -> u128 {
    1_u128.checked_shl(count).map_or(u128::MAX, |bit| bit - 1)
}

/// The whole number of an argument that in Terraform may be of any size.
fn large(context: &Context<'_>, index: usize) -> Result<i64, String> {
    let number = context.integer(index);
    number.map_err(|error| context.refusal(error))
}

pub(super) fn cidrhost(context: &Context<'_>) -> Result<Value, String> {
    context.takes(2..=2)?;
    let network = Network::parse(context)?;
    let number = large(context, 1)?;
    let last = network.last_host();
    // Below zero it counts from the end: -1 is the last one.
    let from_end = number < 0;
    let steps = if from_end { !number } else { number }.unsigned_abs();
    let steps = u128::from(steps);
    if steps > last {
        return Err(format!(
            "a prefix of {} bits has no address {number}",
            network.length
        ));
    }
    let host = if from_end { last - steps } else { steps };
    Ok(network.address(network.base | host)?.to_string().into())
}

pub(super) fn cidrnetmask(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=1)?;
    let network = Network::parse(context)?;
    if network.width != 32 {
        return Err("only ranges of IPv4 have a netmask".to_owned());
    }
    let mask = ones(32) & !network.last_host();
    Ok(network.address(mask)?.to_string().into())
}

pub(super) fn cidrsubnet(context: &Context<'_>) -> Result<Value, String> {
    context.takes(3..=3)?;
    let network = Network::parse(context)?;
    let (new_bits, number) = (context.integer(1)?, large(context, 2)?);
    if new_bits < 0 || number < 0 {
        return Err(context.refusal("counts from 0 on: a negative number leads out of the range"));
    }
    let length = network.extended(new_bits)?;
    let wrong = || {
        let bits = length - network.length;
        format!("{bits} more bits have no place for the number {number}")
    };
    let index = u128::try_from(number).map_err(|_| wrong())?;
    if index > ones(length - network.length) {
        return Err(wrong());
    }
    // By all bits there is only the number 0.
    let offset = index.checked_shl(network.width - length).unwrap_or(0);
    Ok(network.written(network.base | offset, length)?.into())
}

pub(super) fn cidrsubnets(context: &Context<'_>) -> Result<Value, String> {
    context.takes(1..=usize::MAX)?;
    let network = Network::parse(context)?;
    let full = || "the range has no room for all of them".to_owned();
    // Terraform counts from the part before the first, and there is none before address 0.
    let mut free = Some(network.base).filter(|base| *base > 0);
    let mut parts = Vec::new();
    for index in 1..context.arguments.len() {
        let new_bits = context.integer(index)?;
        if !(1..=32).contains(&new_bits) {
            return Err(format!("argument {} must be of 1 to 32", index + 1));
        }
        let length = network.extended(new_bits)?;
        let within = ones(network.width - length);
        // Each begins at a multiple of its size.
        let base = free
            .and_then(|free| free.checked_add(within))
            .ok_or_else(full)?
            & !within;
        if base > network.base | network.last_host() {
            return Err(full());
        }
        parts.push(network.written(base, length)?.into());
        free = (base | within).checked_add(1);
    }
    Ok(Value::List(Type::String, parts.into()))
}
