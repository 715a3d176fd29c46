// Named entities from files in the format of CoNLL-2003, with a CRF (from allennlp-models).
//   allennlp train training_configs/ner.jsonnet -s output/ner
//
// For your own data and biLM, change these lines.
local train = 'training_configs/data/ner_train.txt';
local dev = 'training_configs/data/ner_dev.txt';
local options_file = 'pretrained:small';
local weight_file = 'pretrained:small';

local projection_dim = 100;

{
  dataset_reader: {
    type: 'conll2003',
    tag_label: 'ner',
    convert_to_coding_scheme: 'BIOUL',
    token_indexers: {
      elmo: {
        type: 'elmo_characters',
        // A name in AllenNLP's vocabulary that characters never need: the default does for all.
        namespace: 'elmo_characters',
        // Tokens that stand for no text, each spelled by one character id of its own. Choose ids
        // that text hardly uses, such as 1 to 31; only a fine-tuned biLM learns what they mean.
        tokens_to_add: { '-DOCSTART-': 1 },
        // The least number of tokens in a batch, for models that cannot take shorter sentences.
        token_min_padding_length: 0,
        // What the biLM's options say: 50 in all published models.
        max_characters_per_token: 50,
      },
    },
  },
  train_data_path: train,
  validation_data_path: dev,
  model: {
    type: 'crf_tagger',
    label_encoding: 'BIOUL',
    constrain_crf_decoding: true,
    calculate_span_f1: true,
    text_field_embedder: {
      token_embedders: {
        elmo: {
          type: 'elmo_token_embedder',
          options_file: options_file,
          weight_file: weight_file,
          dropout: 0.1,
          // Makes the vectors smaller by a layer that is trained. The sizes below then stay the
          // same whatever the biLM.
          projection_dim: projection_dim,
          // Levels the sizes of the layers before they are mixed. The numbers are taken from the
          // whole batch, so a sentence's vectors then depend on its neighbours. Try both.
          do_layer_norm: false,
          encoder: {
            type: 'bilm',
            // For AllenNLP's numbers, and sentences that follow each other in the file, leave it
            // out: { type: 'carry' }, the default, goes on in row i of a batch where row i of the
            // last batch ended.
            initial_state: { type: 'warm' },
          },
          // Layers by weights that stay: here the mean of all. Instead
          //   layers: 'top', or a layer's number, of which 0 is the token layer
          //   normalized: [0, 0.5, 0.5], weights as they are
          //   scalar_parameters: [0, 0, 0], weights before a softmax
          // and scalar_mix_parameters: [0, 0, 0], beside `dropout`, is short for the last. Layers
          // behind the last that is read are not computed.
          scalar_mix: { type: 'fixed', layers: 'average' },
          // 'lru', the default for a frozen biLM: words seen before are not computed again. The
          // memory grows with the words, up to so many.
          word_cache: { type: 'lru', capacity: 65536 },
          // 'none', the default: every sentence is computed. See pos_tagging.jsonnet for 'hdf5'.
          activation_cache: { type: 'none' },
        },
      },
    },
    encoder: {
      type: 'lstm',
      input_size: projection_dim,
      hidden_size: 100,
      bidirectional: true,
    },
    // Published ELMo experiments hold the mix down by this expression. With learned weights:
    // regularizer: { regexes: [['scalar_parameters', { type: 'l2', alpha: 0.1 }]] },
  },
  data_loader: { batch_size: 4 },
  trainer: {
    num_epochs: 30,
    optimizer: { type: 'adam', lr: 0.01 },
    learning_rate_scheduler: {
      type: 'reduce_on_plateau',
      mode: 'max',
      factor: 0.5,
      patience: 3,
    },
    validation_metric: '+f1-measure-overall',
    grad_norm: 5.0,
    patience: 10,
  },
}
