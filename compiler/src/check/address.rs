//! Addresses and blocks of addresses.
//!
//! Owns their syntax (LANGUAGE §4). IPv4-mapped IPv6 is IPv4.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use lsmpc_syntax::ast::Literal;

use super::Checker;
use crate::code::Code;
use crate::diagnostic::Diagnostic;
use crate::hir::Block;

/// What is wrong with an address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Bad {
    Malformed,
    Zone,
    Prefix(u8),
    /// The block most likely meant.
    HostBits(String),
}

impl Checker<'_> {
    pub(super) fn address(&mut self, literal: &Literal, bytes: &[u8]) -> Option<Block> {
        let text = String::from_utf8_lossy(bytes);
        let bad = match parse(&text) {
            Ok(block) => return Some(block),
            Err(bad) => bad,
        };
        let span = literal.span;
        let diagnostic = match bad {
            Bad::HostBits(block) => Diagnostic::new(
                Code::HostBits,
                format!("`{text}` has bits set beyond its prefix"),
                span,
                "neither one address nor a block",
            )
            .help(format!("the block is `\"{block}\"`")),
            Bad::Zone => Diagnostic::new(
                Code::BadAddress,
                format!("`{text}` has a zone id"),
                span,
                "zones are not part of an address here",
            )
            .help("leave out `%` and what follows"),
            Bad::Prefix(most) => Diagnostic::new(
                Code::BadAddress,
                format!("`{text}` has a malformed prefix length"),
                span,
                "not a prefix length",
            )
            .help(format!("write a number from 0 to {most} after the `/`")),
            Bad::Malformed => Diagnostic::new(
                Code::BadAddress,
                format!("`{text}` is not an address"),
                span,
                "neither IPv4 nor IPv6",
            )
            .help(
                "write an address such as `\"10.1.2.3\"` or a block such as `\"fe80::/10\"`; \
                 names are not looked up",
            ),
        };
        self.report(diagnostic);
        None
    }
}

fn parse(text: &str) -> Result<Block, Bad> {
    if text.contains('%') {
        return Err(Bad::Zone);
    }
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (text, None),
    };
    let length = |most: u8| match prefix {
        None => Ok(most),
        Some(digits) => {
            let plain = digits.bytes().all(|byte| byte.is_ascii_digit())
                && (digits == "0" || !digits.starts_with('0'));
            match digits.parse::<u8>() {
                Ok(length) if plain && length <= most => Ok(length),
                _ => Err(Bad::Prefix(most)),
            }
        }
    };
    match address.parse::<IpAddr>() {
        Err(_) => Err(Bad::Malformed),
        Ok(IpAddr::V4(address)) => v4(address, length(32)?),
        Ok(IpAddr::V6(address)) => {
            let length = length(128)?;
            match (address.to_ipv4_mapped(), length.checked_sub(96)) {
                (Some(address), Some(length)) => v4(address, length),
                _ => v6(address, length),
            }
        }
    }
}

fn v4(address: Ipv4Addr, length: u8) -> Result<Block, Bad> {
    let rest = u32::MAX.checked_shr(length.into()).unwrap_or(0);
    let bits = address.to_bits();
    if bits & rest == 0 {
        Ok(Block::V4(bits, length))
    } else {
        let first = Ipv4Addr::from_bits(bits & !rest);
        Err(Bad::HostBits(format!("{first}/{length}")))
    }
}

fn v6(address: Ipv6Addr, length: u8) -> Result<Block, Bad> {
    let rest = u128::MAX.checked_shr(length.into()).unwrap_or(0);
    let bits = address.to_bits();
    if bits & rest == 0 {
        Ok(Block::V6(bits, length))
    } else {
        let first = Ipv6Addr::from_bits(bits & !rest);
        Err(Bad::HostBits(format!("{first}/{length}")))
    }
}

#[cfg(test)]
mod tests {
    use super::{Bad, parse};
    use crate::hir::Block;

    #[test]
    fn addresses() {
        assert_eq!(parse("10.1.2.3"), Ok(Block::V4(0x0a01_0203, 32)));
        assert_eq!(parse("10.0.0.0/8"), Ok(Block::V4(0x0a00_0000, 8)));
        assert_eq!(parse("0.0.0.0/0"), Ok(Block::V4(0, 0)));
        assert_eq!(parse("::/0"), Ok(Block::V6(0, 0)));
        assert_eq!(parse("::1"), Ok(Block::V6(1, 128)));
        assert_eq!(parse("fe80::/10"), Ok(Block::V6(0xfe80 << 112, 10)));
        assert_eq!(parse("::ffff:10.0.0.0/104"), Ok(Block::V4(0x0a00_0000, 8)));
        assert_eq!(parse("::ffff:10.1.2.3"), Ok(Block::V4(0x0a01_0203, 32)));
    }

    #[test]
    fn mistakes() {
        let meant = |block: &str| Err(Bad::HostBits(block.to_owned()));
        assert_eq!(parse("10.1.2.3/8"), meant("10.0.0.0/8"));
        assert_eq!(parse("fe80::1/10"), meant("fe80::/10"));
        assert_eq!(parse("::ffff:10.1.2.3/104"), meant("10.0.0.0/8"));
        assert_eq!(parse("::ffff:0:0/80"), meant("::/80"));
        assert_eq!(parse("fe80::1%eth0"), Err(Bad::Zone));
        assert_eq!(parse("10.0.0.0/33"), Err(Bad::Prefix(32)));
        assert_eq!(parse("10.0.0.0/"), Err(Bad::Prefix(32)));
        assert_eq!(parse("10.0.0.0/+8"), Err(Bad::Prefix(32)));
        assert_eq!(parse("10.0.0.0/08"), Err(Bad::Prefix(32)));
        assert_eq!(parse("::/129"), Err(Bad::Prefix(128)));
        assert_eq!(parse("010.0.0.1"), Err(Bad::Malformed));
        assert_eq!(parse("example.org"), Err(Bad::Malformed));
        assert_eq!(parse(""), Err(Bad::Malformed));
    }
}
