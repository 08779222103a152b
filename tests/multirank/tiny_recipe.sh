# Sourced by the whole-loop tests: a recipe cut short, run on phantoms alone,
# and the SHA-256 list of everything that must not depend on the ranks.
#   tiny_run RANKS OUT [EXTRA...]     runs it (resuming what is there)
#   tiny_sums OUT                     prints "hash  file" lines
# Needs SONO_PROGRAM (the sonoforge binary) and SONO_SOURCE (the project root).
# Where mpirun or the segmenter's weights are missing the test ends with 77.

# What tests/count and CTest take for a skipped test.
skip() {
  echo "skipped: $1"
  exit 77
}
weights=$SONO_SOURCE/.deps/weights/lite_medsam.pth
command -v mpirun >/dev/null || skip "no mpirun: run launch/setup"
[ -f "$weights" ] || skip "no $weights: run launch/setup"

export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
export OMPI_MCA_btl_vader_single_copy_mechanism=none OMPI_MCA_rmaps_base_oversubscribe=1
export OMP_NUM_THREADS=1

# A narrow network and few steps: every stage is there, each takes seconds.
TINY_OPTIONS=(
  --set place.weights="$weights"
  --set experiment.title=tiny --set experiment.n_real=2
  --set experiment.arms=none,phantom,concat,joint --set experiment.seeds=1
  --set experiment.synthetic_count=4 --set experiment.draws=1
  --set experiment.prompts=gt-box,self
  --set data.cohorts=curved,portable --set data.train=curved
  --set data.curved=phantom:curved --set data.portable=phantom:portable
  --set data.phantom_count=6 --set data.test_limit=2
  --set diffusion.widths=8,16 --set diffusion.norm_groups=4
  --set diffusion.attention_levels=1 --set diffusion.attention_head_dim=8
  --set diffusion.sampling_steps=3 --set generate.samples_per_shard=2
  --set pretrain.steps=4 --set pretrain.batch_size=4 --set pretrain.lanes=4
  --set pretrain.checkpoint_every=2 --set pretrain.warmup_steps=1 --set adapt.warmup_steps=0
  --set adapt.steps=2 --set adapt.batch_size=4 --set adapt.lanes=4
  --set segment.steps=2 --set segment.batch_size=4 --set segment.lanes=4
  --set segment.checkpoint_every=1
)

tiny_run() {
  local ranks=$1 out=$2
  shift 2
  mpirun --bind-to none -n "$ranks" "$SONO_PROGRAM" run \
    "$SONO_SOURCE/experiments/quickstart.ini" "${TINY_OPTIONS[@]}" "$@" --out "$out"
}

tiny_sums() {
  (cd "$1" && find . -type f \
    \( -name '*.safetensors' -o -name 'state.json' -o -name 'manifest.json' \
       -o -name 'shard-*.tar' -o -name 'cases.csv' -o -name 'summary.json' \) \
    -not -path './cache/*' -print0 | sort -z | xargs -0 sha256sum)
}
