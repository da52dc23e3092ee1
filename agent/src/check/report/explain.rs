//! `--explain`: for each host, which place sets its upstream, and what that overrides.

use crate::check::model::{Cluster, HostConfig, Kind, Setting};
use crate::check::places::Product;
use std::io::{self, Write};

/// One section for each host that has a configuration.
pub(super) fn write(cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    for (host, number) in cluster.hosts.iter().zip(0..) {
        let Some(config) = &host.config else { continue };
        let program = match (config.kind, config.product) {
            (Kind::Peerx, _) => "peerx",
            (_, Product::Rke2) => "RKE2",
            (_, Product::K3s) => "K3s",
            _ => "RKE2 or K3s",
        };
        writeln!(out, "\n{}: {program}, {}", host.name, config.file.display())?;
        for (upstream, index) in config.upstreams.iter().zip(0..) {
            writeln!(
                out,
                "  counts     {}{}",
                described(&upstream.setting),
                leads_to(cluster, number, index)
            )?;
            for setting in &upstream.overridden {
                writeln!(out, "  overridden {}", described(setting))?;
            }
        }
        write_unset(config, out)?;
    }
    Ok(())
}

fn write_unset(config: &HostConfig, out: &mut dyn Write) -> io::Result<()> {
    if let [winner, overridden @ ..] = &config.unset[..] {
        writeln!(out, "  counts     {}: asks nobody", described(winner))?;
        for setting in overridden {
            writeln!(out, "  overridden {}", described(setting))?;
        }
    } else if config.upstreams.is_empty() {
        writeln!(out, "  asks nobody")?;
    }
    Ok(())
}

/// Every file that is no host, and why.
pub(super) fn write_skipped(cluster: &Cluster, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out)?;
    for skipped in &cluster.skipped {
        writeln!(out, "SKIPPED: {}: {}", skipped.path.display(), skipped.what)?;
    }
    Ok(())
}

fn described(setting: &Setting) -> String {
    let place = setting
        .level
        .map_or(String::new(), |level| format!("{}, ", level.name()));
    format!(
        "`{}` ({place}{}, {}:{})",
        setting.written(&setting.text),
        setting.source,
        setting.file.display(),
        setting.line
    )
}

fn leads_to(cluster: &Cluster, host: u32, index: u32) -> String {
    let origin = crate::check::model::Origin::Upstream(index);
    if let Some(edge) = cluster.asks(host).iter().find(|edge| edge.origin == origin) {
        return format!(" → {}", cluster.name(edge.to));
    }
    if cluster.outside.contains(&(host, index)) {
        return " → outside".into();
    }
    let open = cluster
        .open
        .iter()
        .any(|open| (open.host, open.upstream) == (host, index));
    if open {
        " → not decided".into()
    } else {
        String::new()
    }
}
