// Part-of-speech tagging of CoNLL-U files, with ELMo as it was published: frozen, its layers mixed
// by learned weights. `make train` runs it with the files below.
//
// For your own data and biLM, change these lines, or say for one run
//   allennlp train training_configs/pos_tagging.jsonnet -s output/mine \
//       -o '{"train_data_path": "my_train.conllu", "validation_data_path": "my_dev.conllu"}'
local train = 'training_configs/data/pos_train.conllu';
local dev = 'training_configs/data/pos_dev.conllu';

// Paths, URLs, a folder or zip that holds the files, or the name of the biLM of the plugin.
local options_file = 'pretrained:small';
local weight_file = 'pretrained:small';

// Twice the biLM's `lstm.projection_dim`: 1024 for the published 2x4096_512, 256 for the small one.
local elmo_dim = 256;

{
  dataset_reader: {
    type: 'conllu_tagging',
    // Or 'xpos', for the treebank's own finer tags.
    tag_column: 'upos',
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
          // Frozen: trains fast, and suits little data best. See fine_tuning.jsonnet for `true`.
          requires_grad: false,
          // Against overfitting. The default is 0.5; less where the biLM is small.
          dropout: 0.1,
          encoder: {
            type: 'bilm',
            // 'warm': every sentence starts from the state that the biLM settles into while it
            // reads a few sentences, so its tags depend on nothing but itself. Your own sentences
            // are best, in a list or a file:
            //   { type: 'warm', sentences: 'warm_up.txt', repeats: 20 }
            // { type: 'zero' } starts from zeros. For the numbers of AllenNLP's built-in, see
            // ner.jsonnet.
            initial_state: { type: 'warm' },
          },
          // The task decides how much each layer counts.
          scalar_mix: { type: 'learned' },
          // The layers of each sentence are computed in the first epoch and read from this folder
          // in all others, and in later runs. It needs a frozen biLM, and 'warm' or 'zero'.
          activation_cache: {
            type: 'hdf5',
            path: 'output/activations',
            // 'float16' takes half the space.
            dtype: 'float32',
            // Nothing more is written to a folder of this size.
            max_gigabytes: 10,
          },
          // `true` keeps the vectors of <S> and </S>: two more than there are tokens, for models
          // of your own that expect them. AllenNLP's taggers need `false`.
          keep_sentence_boundaries: false,
        },
      },
    },
    encoder: {
      type: 'lstm',
      input_size: elmo_dim,
      hidden_size: 64,
      bidirectional: true,
    },
  },
  data_loader: { batch_size: 8, shuffle: true },
  trainer: {
    num_epochs: 15,
    optimizer: { type: 'adam', lr: 0.005 },
    validation_metric: '+accuracy',
    patience: 5,
  },
}
