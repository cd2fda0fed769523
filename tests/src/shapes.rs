//! The shapes of well-known scientific workflows, at any size, as WfFormat documents.
//!
//! The graphs follow the published descriptions: S. Bharathi et al., "Characterization of scientific workflows",
//! WORKS 2008 (Montage, CyberShake, Epigenomics); R. Ferreira da Silva et al., "WfCommons: a framework for enabling
//! scientific workflow research and development", FGCS 128, 2022 (1000Genome, Seismology, SoyKB, BLAST, BWA). They
//! are drawn here from these descriptions; recorded executions can be run with `cargo xtask dags --from DIR`.

use serde_json::{Value, json};

/// Draws a workflow of about so many tasks.
pub type Shape = fn(tasks: usize) -> Value;

/// Every shape with its name.
pub const ALL: [(&str, Shape); 9] = [
    ("blast", blast),
    ("bwa", bwa),
    ("chain", chain),
    ("cybershake", cybershake),
    ("epigenomics", epigenomics),
    ("genome1000", genome1000),
    ("montage", montage),
    ("seismology", seismology),
    ("soykb", soykb),
];

/// A graph while it is drawn. Tasks are named by their place.
#[derive(Default)]
struct Drawing {
    tasks: Vec<(&'static str, Vec<usize>)>,
}

impl Drawing {
    fn task(&mut self, program: &'static str, parents: impl IntoIterator<Item = usize>) -> usize {
        self.tasks.push((program, parents.into_iter().collect()));
        self.tasks.len() - 1
    }

    /// One task after the other; gives the last.
    fn line(&mut self, programs: &[&'static str], mut parent: usize) -> usize {
        for program in programs {
            parent = self.task(program, [parent]);
        }
        parent
    }

    fn finish(self, name: &str) -> Value {
        let id = |index: usize| format!("{}_ID{index:07}", self.tasks[index].0);
        let specification = self.tasks.iter().enumerate().map(|(index, (program, parents))| {
            json!({
                "name": program,
                "id": id(index),
                "parents": parents.iter().map(|parent| id(*parent)).collect::<Vec<_>>(),
                "inputFiles": parents.iter().map(|parent| format!("{}.out", id(*parent))).collect::<Vec<_>>(),
                "outputFiles": [format!("{}.out", id(index))],
            })
        });
        let execution = self.tasks.iter().enumerate().map(|(index, (program, _))| {
            json!({"id": id(index), "command": {"program": program, "arguments": []}})
        });
        json!({
            "name": format!("{name}-{}", self.tasks.len()),
            "schemaVersion": "1.5",
            "workflow": {
                "specification": {"tasks": specification.collect::<Vec<_>>()},
                "execution": {"tasks": execution.collect::<Vec<_>>()},
            },
        })
    }
}

/// How many parts of a size fit, at least one.
fn parts(tasks: usize, fixed: usize, each: usize) -> usize {
    (tasks.saturating_sub(fixed) / each).max(1)
}

/// Protein search: split, search each part, put together twice.
fn blast(tasks: usize) -> Value {
    let mut drawing = Drawing::default();
    let split = drawing.task("split_fasta", []);
    let searches: Vec<usize> = (0..parts(tasks, 3, 1))
        .map(|_| drawing.task("blastall", [split]))
        .collect();
    drawing.task("cat_blast", searches.clone());
    drawing.task("cat", searches);
    drawing.finish("blast")
}

/// Alignment: two roots, every alignment needs both.
fn bwa(tasks: usize) -> Value {
    let mut drawing = Drawing::default();
    let roots = [drawing.task("fastq_reduce", []), drawing.task("bwa_index", [])];
    let alignments: Vec<usize> = (0..parts(tasks, 4, 1))
        .map(|_| drawing.task("bwa", roots))
        .collect();
    drawing.task("cat_bwa", alignments.clone());
    drawing.task("cat", alignments);
    drawing.finish("bwa")
}

/// One task after the other: as deep as a graph can be.
fn chain(tasks: usize) -> Value {
    let mut drawing = Drawing::default();
    let first = drawing.task("step", []);
    drawing.line(&vec!["step"; tasks.saturating_sub(1)], first);
    drawing.finish("chain")
}

/// Seismic hazard: two extractions for each rupture, syntheses from both, a peak for each, two archives of all.
fn cybershake(tasks: usize) -> Value {
    const SYNTHESES: usize = 8;
    let mut drawing = Drawing::default();
    let (mut seismograms, mut peaks) = (Vec::new(), Vec::new());
    for _ in 0..parts(tasks, 2, 2 + 2 * SYNTHESES) {
        let extractions = [drawing.task("ExtractSGT", []), drawing.task("ExtractSGT", [])];
        for _ in 0..SYNTHESES {
            let seismogram = drawing.task("SeismogramSynthesis", extractions);
            seismograms.push(seismogram);
            peaks.push(drawing.task("PeakValCalcOkaya", [seismogram]));
        }
    }
    drawing.task("ZipSeis", seismograms);
    drawing.task("ZipPSA", peaks);
    drawing.finish("cybershake")
}

/// Epigenomics: lanes, each split into chunks that go through four steps; merged by lane, then all.
fn epigenomics(tasks: usize) -> Value {
    const CHUNKS: usize = 12;
    let mut drawing = Drawing::default();
    let mut lanes = Vec::new();
    for _ in 0..parts(tasks, 3, 2 + 4 * CHUNKS) {
        let split = drawing.task("fastqSplit", []);
        let steps = ["filterContams", "sol2sanger", "fastq2bfq", "map"];
        let maps: Vec<usize> = (0..CHUNKS).map(|_| drawing.line(&steps, split)).collect();
        lanes.push(drawing.task("mapMerge", maps));
    }
    let all = drawing.task("mapMergeAll", lanes);
    drawing.line(&["maqIndex", "pileup"], all);
    drawing.finish("epigenomics")
}

/// Human variation: for each chromosome individuals are merged, variants sifted, both compared for seven populations.
fn genome1000(tasks: usize) -> Value {
    const INDIVIDUALS: usize = 10;
    const POPULATIONS: usize = 7;
    let mut drawing = Drawing::default();
    for _ in 0..parts(tasks, 0, INDIVIDUALS + 2 + 2 * POPULATIONS) {
        let individuals: Vec<usize> = (0..INDIVIDUALS)
            .map(|_| drawing.task("individuals", []))
            .collect();
        let merge = drawing.task("individuals_merge", individuals);
        let sifting = drawing.task("sifting", []);
        for _ in 0..POPULATIONS {
            drawing.task("mutation_overlap", [merge, sifting]);
            drawing.task("frequency", [merge, sifting]);
        }
    }
    drawing.finish("1000genome")
}

/// Sky mosaics: images on a grid, a difference for each overlap of neighbours, one model of all, corrections, a picture.
fn montage(tasks: usize) -> Value {
    // An image brings itself, its correction, and up to four overlaps.
    let side = (parts(tasks, 5, 6) as f64).sqrt().round().max(2.0) as usize;
    let mut drawing = Drawing::default();
    let images: Vec<usize> = (0..side * side).map(|_| drawing.task("mProject", [])).collect();
    let at = |row: usize, column: usize| images[row * side + column];
    let mut differences = Vec::new();
    for row in 0..side {
        for column in 0..side {
            let neighbours = [
                (row, column + 1),
                (row + 1, column),
                (row + 1, column + 1),
                (row + 1, column.wrapping_sub(1)),
            ];
            for (other_row, other_column) in neighbours {
                if other_row < side && other_column < side {
                    let overlap = [at(row, column), at(other_row, other_column)];
                    differences.push(drawing.task("mDiffFit", overlap));
                }
            }
        }
    }
    let fit = drawing.task("mConcatFit", differences);
    let model = drawing.task("mBgModel", [fit]);
    let corrected: Vec<usize> = images
        .iter()
        .map(|image| drawing.task("mBackground", [*image, model]))
        .collect();
    let table = drawing.task("mImgtbl", corrected.clone());
    let mosaic = drawing.task("mAdd", corrected.into_iter().chain([table]));
    drawing.line(&["mViewer"], mosaic);
    drawing.finish("montage")
}

/// Seismology: a deconvolution for each pair of signals, one comparison of all.
fn seismology(tasks: usize) -> Value {
    let mut drawing = Drawing::default();
    let pairs: Vec<usize> = (0..parts(tasks, 1, 1))
        .map(|_| drawing.task("sG1IterDecon", []))
        .collect();
    drawing.task("wrapper_siftSTFByMisfit", pairs);
    drawing.finish("seismology")
}

/// Soybean genomes: a line of steps for each sample, variants for each of its chromosomes, joined across samples.
fn soykb(tasks: usize) -> Value {
    const CHROMOSOMES: usize = 20;
    const PREPARE: [&str; 5] = [
        "sort_sam",
        "dedup",
        "add_replace",
        "realign_target_creator",
        "indel_realign",
    ];
    let mut drawing = Drawing::default();
    let mut by_chromosome = vec![Vec::new(); CHROMOSOMES];
    let mut all = Vec::new();
    for _ in 0..parts(tasks, CHROMOSOMES + 6, 1 + PREPARE.len() + CHROMOSOMES) {
        let aligned = drawing.task("alignment_to_reference", []);
        let realigned = drawing.line(&PREPARE, aligned);
        for calls in &mut by_chromosome {
            let call = drawing.task("haplotype_caller", [realigned]);
            calls.push(call);
            all.push(call);
        }
    }
    drawing.task("merge_gcvf", all);
    let genotypes: Vec<usize> = by_chromosome
        .into_iter()
        .map(|calls| drawing.task("genotype_gvcfs", calls))
        .collect();
    let variants = drawing.task("combine_variants", genotypes);
    drawing.line(&["select_variants_indel", "filtering_indel"], variants);
    drawing.line(&["select_variants_snp", "filtering_snp"], variants);
    drawing.finish("soykb")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wfformat::convert;

    #[test]
    fn a_shape_has_about_as_many_tasks_as_asked_for_and_parents_come_first() {
        for (name, shape) in ALL {
            for wanted in [100, 1000] {
                let converted = convert(&shape(wanted)).expect("shapes are WfFormat");
                let tasks = converted.parents.len();
                assert!(
                    (wanted / 2..=wanted + wanted / 2).contains(&tasks),
                    "{name}: {tasks} instead of {wanted}"
                );
                let mut seen = std::collections::HashSet::new();
                for (id, parents) in &converted.parents {
                    assert!(parents.iter().all(|parent| seen.contains(parent)), "{name}: {id}");
                    seen.insert(id);
                }
            }
        }
    }
}
