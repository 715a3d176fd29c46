// Part-of-speech tagging of CoNLL-U files with ELMo as in the paper: the biLM is frozen, and its
// layers are mixed by learned weights. `make train` runs it on the files below.
//
// For your own data and biLM, change these lines, or override them for one run:
//   allennlp train training_configs/pos_tagging.jsonnet -s output/mine \
//       -o '{"train_data_path": "my_train.conllu", "validation_data_path": "my_dev.conllu"}'
local train = 'training_configs/data/pos_train.conllu';
local dev = 'training_configs/data/pos_dev.conllu';

// A path, a URL, a folder or zip that contains both files, or `pretrained:small`, the biLM that comes
// with the plugin.
local options_file = 'pretrained:small';
local weight_file = 'pretrained:small';

// Twice the biLM's `lstm.projection_dim`: 1024 for the published 2x4096_512, 256 for the small one.
local elmo_dim = 256;

{
  dataset_reader: {
    type: 'conllu_tagging',
    // Use 'xpos' for the finer tags of the treebank.
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
          // A frozen biLM trains fast and is best for little data. See fine_tuning.jsonnet for `true`.
          requires_grad: false,
          // The default is 0.5. A small biLM needs less.
          dropout: 0.1,
          encoder: {
            type: 'bilm',
            // Every sentence starts from the state to which the biLM converges on a short warm-up
            // text, so its tags do not depend on other sentences. A warm-up text like your data is
            // best; give a list of sentences or a file:
            //   { type: 'warm', sentences: 'warm_up.txt', repeats: 20 }
            // { type: 'zero' } starts from zeros. See ner.jsonnet for the numbers of AllenNLP's
            // built-in.
            initial_state: { type: 'warm' },
          },
          // The weights of the layers are trained for the task.
          scalar_mix: { type: 'learned' },
          // Caches the layers of each sentence in this folder. The biLM computes them in the first
          // epoch; later epochs and later runs read them. This needs a frozen biLM, and 'warm' or
          // 'zero' as its initial state.
          activation_cache: {
            type: 'hdf5',
            path: 'output/activations',
            // 'float16' needs half the disk space.
            dtype: 'float32',
            // The cache stops growing at this size.
            max_gigabytes: 10,
          },
          // `true` also returns the vectors of <S> and </S>, so there are two more vectors than
          // tokens. AllenNLP's taggers need `false`.
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
