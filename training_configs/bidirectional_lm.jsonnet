// A small biLM of your own, on a laptop: forty minutes for 20 million tokens on two free cores. The
// one that comes with the plugin, `pretrained:small`, was trained with this file. What follows the
// progress is logged every half minute, and drawn by `tensorboard --logdir output/lm/log`.
//
// The text: one sentence a line, tokens separated by spaces, in any number of files, gzipped or
// not. From plain text, these make it:
//   allennlp elmo-tokenize 'texts/*.txt' corpus/train
//   allennlp elmo-tokenize 'held_out/*.txt' corpus/dev
// The training, and how to go on after it was stopped:
//   allennlp train training_configs/bidirectional_lm.jsonnet -s output/lm
//   allennlp train training_configs/bidirectional_lm.jsonnet -s output/lm --recover
// Perplexity, and the files that every ELMo reads:
//   allennlp evaluate output/lm/model.tar.gz 'corpus/test/*.txt'
//   allennlp elmo-export output/lm/model.tar.gz my_elmo
local train = 'corpus/train/*.txt';
local dev = 'corpus/dev/*.txt';

// Streams of text, side by side, and the tokens of each that a step sees.
local batch_size = 64;
local num_steps = 20;

local reader = { type: 'bilm_corpus', batch_size: batch_size, num_steps: num_steps };
// What is in memory does not grow with the corpus.
local loader = { batch_size: batch_size, max_instances_in_memory: batch_size, quiet: true };

{
  // Sentences are shuffled as far as they wait in the buffer, files altogether.
  dataset_reader: reader { shuffle_buffer: 50000, seed: 13370 },
  // In their own order. With `num_steps: null` each sentence would be a window of its own.
  validation_dataset_reader: reader,
  train_data_path: train,
  validation_data_path: dev,
  // The words that are predicted, in the order of their frequency; all others count as one.
  vocabulary: { max_vocab_size: 20000 },
  model: {
    type: 'bidirectional_lm',
    // As in an `options.json`. To go on from a biLM that is there, in place of this:
    //   options_file: 'my_elmo/options.json', weight_file: 'my_elmo/weights.hdf5',
    options: {
      char_cnn: {
        activation: 'relu',
        embedding: { dim: 16 },
        filters: [[1, 16], [2, 16], [3, 32], [4, 64], [5, 128]],
        max_characters_per_token: 50,
        n_highway: 1,
      },
      // Sizes in multiples of 16 run on the kernels.
      lstm: {
        dim: 256,
        projection_dim: 128,
        n_layers: 2,
        cell_clip: 3,
        proj_clip: 3,
        use_skip_connections: true,
      },
    },
    // A training step is measured against so many words of the vocabulary, drawn at random. `null`
    // takes them all, which is exact and slower; an evaluation always does.
    num_samples: 1024,
    dropout: 0.1,
    // Where a stream starts; with `num_steps: null`, every sentence. Say for one evaluation
    //   -o '{"model.initial_state": {"type": "warm"}, "validation_dataset_reader.num_steps": null}'
    initial_state: { type: 'zero' },
  },
  // An "epoch" is a stretch of 1000 steps, after which there is a checkpoint and a validation. It
  // goes on in the corpus where the last one ended.
  data_loader: loader { batches_per_epoch: 1000 },
  validation_data_loader: loader,
  trainer: {
    num_epochs: 16,
    optimizer: { type: 'adam', lr: 0.006 },
    learning_rate_scheduler: { type: 'linear_with_warmup', warmup_steps: 200 },
    grad_norm: 1.0,
    validation_metric: '-perplexity',
    callbacks: ['tensorboard'],
  },
}
