// Trains a small biLM on your own text, on a laptop. `pretrained:small`, the biLM that comes with the
// plugin, was trained with this file; allennlp_elmo_plugin/pretrained/small/README.md has its text,
// its further training, time and perplexity.
//
// The corpus is text files, gzipped or not, with one sentence a line and tokens separated by spaces.
// Make it from plain text:
//   allennlp elmo-tokenize 'texts/*.txt' corpus/train
//   allennlp elmo-tokenize 'held_out/*.txt' corpus/dev
// Train, and resume an interrupted training:
//   allennlp train training_configs/bidirectional_lm.jsonnet -s output/lm
//   allennlp train training_configs/bidirectional_lm.jsonnet -s output/lm --recover
// The progress is logged every 30 seconds and plotted by `tensorboard --logdir output/lm/log`.
// Measure the perplexity, and export the files that every ELMo implementation reads:
//   allennlp evaluate output/lm/model.tar.gz 'corpus/test/*.txt'
//   allennlp elmo-export output/lm/model.tar.gz my_elmo
local train = 'corpus/train/*.txt';
local dev = 'corpus/dev/*.txt';

// The number of streams in a batch, and of tokens that a training step predicts in each.
local batch_size = 64;
local num_steps = 20;

local reader = { type: 'bilm_corpus', batch_size: batch_size, num_steps: num_steps };
// Memory does not grow with the corpus.
local loader = { batch_size: batch_size, max_instances_in_memory: batch_size, quiet: true };

{
  // The next sentence is drawn at random from a buffer of this size. Files are shuffled as well.
  dataset_reader: reader { shuffle_buffer: 50000, seed: 13370 },
  // Validation keeps the order of the text. With `num_steps: null`, each sentence is a window.
  validation_dataset_reader: reader,
  train_data_path: train,
  validation_data_path: dev,
  // The most frequent words are predicted. All others count as one, the unknown word.
  vocabulary: { max_vocab_size: 20000 },
  model: {
    type: 'bidirectional_lm',
    // The shape of a new biLM, as in an `options.json`. To continue from an existing biLM, replace
    // `options` by
    //   options_file: 'my_elmo/options.json', weight_file: 'my_elmo/weights.hdf5',
    options: {
      char_cnn: {
        activation: 'relu',
        embedding: { dim: 16 },
        filters: [[1, 16], [2, 16], [3, 32], [4, 64], [5, 128]],
        max_characters_per_token: 50,
        n_highway: 1,
      },
      // The compiled kernels need sizes that are multiples of 16.
      lstm: {
        dim: 256,
        projection_dim: 128,
        n_layers: 2,
        cell_clip: 3,
        proj_clip: 3,
        use_skip_connections: true,
      },
    },
    // The number of sampled words for the training softmax. `null` is the full softmax, which is
    // exact and slower, and which evaluation always uses.
    num_samples: 1024,
    dropout: 0.1,
    // The state in which a stream starts, or every sentence with `num_steps: null`. To evaluate
    // sentence by sentence from a warm state, add
    //   -o '{"model.initial_state": {"type": "warm"}, "validation_dataset_reader.num_steps": null}'
    initial_state: { type: 'zero' },
  },
  // An epoch has 1000 training steps and ends with a validation and a checkpoint. The next epoch
  // continues in the corpus where this one ended.
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
