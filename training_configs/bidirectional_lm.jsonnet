local train = 'corpus/train/*.txt';
local dev = 'corpus/dev/*.txt';
local batch_size = 64;
local num_steps = 20;

{
  dataset_reader: {
    type: 'bilm_corpus',
    batch_size: batch_size,
    num_steps: num_steps,
    shuffle_buffer: 50000,
  },
  validation_dataset_reader: {
    type: 'bilm_corpus',
    batch_size: batch_size,
    num_steps: num_steps,
  },
  train_data_path: train,
  validation_data_path: dev,
  vocabulary: { max_vocab_size: 20000 },
  model: {
    type: 'bidirectional_lm',
    options: {
      char_cnn: {
        activation: 'relu',
        embedding: { dim: 16 },
        filters: [[1, 16], [2, 16], [3, 32], [4, 64], [5, 128]],
        max_characters_per_token: 50,
        n_highway: 1,
      },
      lstm: {
        dim: 256,
        projection_dim: 128,
        n_layers: 2,
        cell_clip: 3,
        proj_clip: 3,
        use_skip_connections: true,
      },
    },
    num_samples: 1024,
    dropout: 0.1,
  },
  data_loader: {
    batch_size: batch_size,
    max_instances_in_memory: batch_size,
    batches_per_epoch: 1000,
  },
  validation_data_loader: { batch_size: batch_size, max_instances_in_memory: batch_size },
  trainer: {
    num_epochs: 16,
    optimizer: { type: 'adam', lr: 0.006 },
    learning_rate_scheduler: { type: 'linear_with_warmup', warmup_steps: 200 },
    grad_norm: 1.0,
    validation_metric: '-perplexity',
    callbacks: ['tensorboard'],
  },
}
