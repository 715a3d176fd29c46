// Named entity recognition on files in CoNLL-2003 format, with a CRF (from allennlp-models).
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
        // Not used, because characters need no vocabulary. AllenNLP's indexer has the option, too.
        namespace: 'elmo_characters',
        // Special tokens, each with a character id of its own. Choose ids that text hardly uses,
        // such as 1 to 31. Only a fine-tuned biLM learns what they mean.
        tokens_to_add: { '-DOCSTART-': 1 },
        // Batches are padded to at least this many tokens, for models that need a minimum length.
        token_min_padding_length: 0,
        // Must equal `max_characters_per_token` in the biLM's options. All published models have 50.
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
          // Projects the vectors to this size by a layer that is trained. The sizes below then do
          // not depend on the biLM.
          projection_dim: projection_dim,
          // Layer normalization before the scalar mix. Mean and variance are those of the whole
          // batch, so a sentence's vectors depend on the others in its batch. Try both.
          do_layer_norm: false,
          encoder: {
            type: 'bilm',
            // Remove this line to get the same numbers as AllenNLP's built-in, or if the sentences
            // of a file follow each other. The default is { type: 'carry' }: row i of a batch starts
            // in the state in which row i of the previous batch ended.
            initial_state: { type: 'warm' },
          },
          // Mixes the layers by fixed weights. 'average' is the mean of all layers. Instead:
          //   layers: 'top', or the number of one layer (0 is the token layer)
          //   normalized: [0, 0.5, 0.5], the weights themselves
          //   scalar_parameters: [0, 0, 0], the weights before a softmax
          // The last one can also be given as scalar_mix_parameters: [0, 0, 0] beside `dropout`.
          // Layers above the last one with a weight are not computed.
          scalar_mix: { type: 'fixed', layers: 'average' },
          // The default for a frozen biLM. It caches the vectors of the words that were used last,
          // up to this number, so the character CNN runs once for each of them.
          word_cache: { type: 'lru', capacity: 65536 },
          // The default: the biLM computes every sentence. See pos_tagging.jsonnet for 'hdf5'.
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
    // With a 'learned' mix, published ELMo experiments regularize its weights like this:
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
