// Part-of-speech tagging by a biLM that is trained along, at a lower rate than the rest. It takes
// more data, time and memory than a frozen one.
//   allennlp train training_configs/fine_tuning.jsonnet -s output/fine_tuning
//
// For your own data and biLM, change these lines.
local train = 'training_configs/data/pos_train.conllu';
local dev = 'training_configs/data/pos_dev.conllu';
local options_file = 'pretrained:small';
local weight_file = 'pretrained:small';

// Twice the biLM's `lstm.projection_dim`: 1024 for the published 2x4096_512, 256 for the small one.
local elmo_dim = 256;

{
  dataset_reader: {
    type: 'conllu_tagging',
    token_indexers: { elmo: { type: 'elmo_characters' } },
  },
  train_data_path: train,
  validation_data_path: dev,
  model: {
    type: 'simple_tagger',
    text_field_embedder: {
      token_embedders: {
        elmo: {
          type: 'elmo_token_embedder',
          options_file: options_file,
          weight_file: weight_file,
          // The biLM's weights are trained and saved with the model.
          requires_grad: true,
          dropout: 0.2,
          // The sentences are shuffled, so a state that is carried would come from elsewhere. 'warm'
          // starts each from the state that the biLM settled into before its training.
          encoder: { type: 'bilm', initial_state: { type: 'warm' } },
          scalar_mix: { type: 'learned' },
        },
      },
    },
    // The biLM learns the task itself, so nothing stands between it and the tags.
    encoder: { type: 'pass_through', input_dim: elmo_dim },
  },
  data_loader: { batch_size: 8, shuffle: true },
  trainer: {
    num_epochs: 6,
    optimizer: {
      type: 'huggingface_adamw',
      lr: 0.01,
      weight_decay: 0.01,
      parameter_groups: [
        // The biLM: carefully, so as not to lose what it knows. Lower still with published weights,
        // such as 1e-4.
        [['_encoder\\.bilm\\.'], { lr: 0.002 }],
        // Few weights that mean a lot: not to be pulled towards zero.
        [['scalar_parameters', 'gamma'], { weight_decay: 0.0 }],
      ],
    },
    // Long recurrent networks give large gradients now and then.
    grad_norm: 1.0,
    validation_metric: '+accuracy',
  },
}
