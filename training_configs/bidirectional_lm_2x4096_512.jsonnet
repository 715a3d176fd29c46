// Trains a biLM of the published shape: 2 layers of 4096 cells, projected to 512. The settings are
// those of bilm-tf's train_elmo.py and training.py, with which Peters et al. (2018) trained on the
// 1 Billion Word Benchmark (768,648,884 tokens). Their 10 epochs took about two weeks on three GTX
// 1080 GPUs and reached a perplexity of 39.7, the mean of both directions. A CPU is too slow for it.
//
//   allennlp train training_configs/bidirectional_lm_2x4096_512.jsonnet -s output/lm
//
// To continue from published weights on your own text, see "to continue" below.
local train = '1-billion-word/training/*';
local dev = '1-billion-word/heldout/*';
local vocabulary = 'vocab-2016-09-10.txt';

local batch_size = 128;
local num_steps = 20;

local reader = { type: 'bilm_corpus', batch_size: batch_size, num_steps: num_steps };
local loader = { batch_size: batch_size, max_instances_in_memory: batch_size, quiet: true };

{
  // bilm-tf shuffles the sentences of each of the 99 training files.
  dataset_reader: reader { shuffle_buffer: 300000 },
  validation_dataset_reader: reader,
  train_data_path: train,
  validation_data_path: dev,
  // The file has 793,471 words. Line i belongs to row i of the published softmax.
  vocabulary: { type: 'bilm_vocabulary', file: vocabulary, namespace: 'tokens' },
  model: {
    type: 'bidirectional_lm',
    options: {
      char_cnn: {
        activation: 'relu',
        embedding: { dim: 16 },
        filters: [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        max_characters_per_token: 50,
        n_highway: 2,
      },
      lstm: {
        dim: 4096,
        projection_dim: 512,
        n_layers: 2,
        cell_clip: 3,
        proj_clip: 3,
        use_skip_connections: true,
      },
    },
    // To continue from published weights, replace `options` by
    //   options_file: 'elmo_2x4096_512_2048cnn_2xhighway_options.json',
    //   weight_file: 'elmo_2x4096_512_2048cnn_2xhighway_weights.hdf5',
    //   softmax_file: 'elmo_2x4096_512_2048cnn_2xhighway_softmax_weights.hdf5',
    // With these files and `trainer: { type: 'no_op' }`, `allennlp train` only makes an archive.
    // `allennlp evaluate` then measures the perplexity of the published model.
    num_samples: 8192,
    dropout: 0.1,
    namespace: 'tokens',
  },
  data_loader: loader { num_workers: 1 },
  validation_data_loader: loader,
  // One process for each GPU. Each process has its own streams.
  distributed: { cuda_devices: [0, 1, 2] },
  trainer: {
    num_epochs: 10,
    // bilm-tf multiplies the loss by num_steps, clips the norm of the gradient at 10 and starts
    // Adagrad's accumulators at 1. Here the loss is the mean over tokens, so these values make the
    // same updates.
    optimizer: {
      type: 'adagrad',
      lr: 0.2,
      initial_accumulator_value: 1 / (num_steps * num_steps),
    },
    grad_norm: 10 / num_steps,
    validation_metric: '-perplexity',
    checkpointer: { save_every_num_batches: 5000 },
    callbacks: ['tensorboard', { type: 'bilm_progress', seconds: 60 }],
  },
}
