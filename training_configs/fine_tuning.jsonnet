// Part-of-speech tagging with a fine-tuned biLM: it is trained with the tagger, at a lower learning
// rate. Fine-tuning needs more data, time and memory than a frozen biLM.
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
          // The sentences are shuffled, so 'carry' would start each from the state of an unrelated
          // one. 'warm' starts each from the state to which the biLM converged on the warm-up text
          // before the training.
          encoder: { type: 'bilm', initial_state: { type: 'warm' } },
          scalar_mix: { type: 'learned' },
        },
      },
    },
    // The biLM learns the task itself, so the tagger needs no encoder of its own.
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
        // A low learning rate keeps what the biLM has learnt. With published weights, use a lower
        // one, such as 1e-4.
        [['_elmo_lstm'], { lr: 0.002 }],
        // The few weights of the scalar mix should not decay towards zero.
        [['scalar_parameters', 'gamma'], { weight_decay: 0.0 }],
      ],
    },
    // The gradients of recurrent networks are sometimes very large.
    grad_norm: 1.0,
    validation_metric: '+accuracy',
  },
}
