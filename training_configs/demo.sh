#!/usr/bin/env bash
# Trains a part-of-speech tagger on the sentences in training_configs/data, evaluates it on held-out
# ones and tags a few more. It downloads nothing and writes to output/.
set -euo pipefail
cd "$(dirname "$0")/.."

export ALLENNLP_LOG_LEVEL=WARNING PYTHONWARNINGS=ignore
# One thread is fastest for matrices this small.
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}"

# Shows the last state of each progress bar, and hides the messages of NLTK, whose data the demo does
# not need.
tidy() {
    sed -u -e $'s/.*\r//' -e '/^\[nltk_data\]/d' -e '/^loading instances/d' -e '/^building vocab/d'
}

echo "Training (each epoch: the training sentences, then the held-out ones)"
allennlp train training_configs/pos_tagging.jsonnet -s output/pos_tagging -f 2>&1 | tidy

echo
echo "Evaluating on the held-out sentences"
allennlp evaluate output/pos_tagging/model.tar.gz training_configs/data/pos_dev.conllu \
    --output-file output/pos_tagging/dev_metrics.json 2>&1 | tidy
cat output/pos_tagging/dev_metrics.json

echo
echo
echo "Tagging the sentences in training_configs/data/sentences.jsonl"
allennlp predict output/pos_tagging/model.tar.gz training_configs/data/sentences.jsonl \
    --predictor elmo_tagger --predictor-args '{"output_format": "text"}' --batch-size 4 \
    --silent --output-file output/pos_tagging/sentences.txt 2>&1 | tidy
cat output/pos_tagging/sentences.txt
