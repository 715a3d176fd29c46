// Classification of short texts, with cached vectors of frequent words.
//   allennlp train training_configs/text_classification.jsonnet -s output/text_classification
//
// For your own data and biLM, change these lines. Each line of a data file is a JSON object with the
// keys "text" and "label".
local train = 'training_configs/data/reviews_train.jsonl';
local dev = 'training_configs/data/reviews_dev.jsonl';
local options_file = 'pretrained:small';
local weight_file = 'pretrained:small';

// Twice the biLM's `lstm.projection_dim`: 1024 for the published 2x4096_512, 256 for the small one.
local elmo_dim = 256;
local word_dim = 16;

{
  dataset_reader: {
    type: 'text_classification_json',
    // AllenNLP's default tokenizer needs a spaCy model. This one needs no download.
    tokenizer: { type: 'letters_digits' },
    token_indexers: {
      // AllenNLP's basic_classifier needs word ids beside ELMo.
      tokens: { type: 'single_id', namespace: 'tokens' },
      elmo: {
        type: 'elmo_characters',
        // Adds each token's id in this namespace, by which the 'vocabulary' cache looks up words.
        word_namespace: 'tokens',
      },
    },
  },
  train_data_path: train,
  validation_data_path: dev,
  // Caching pays for frequent words. A rare word uses memory and is seldom looked up.
  vocabulary: { min_count: { tokens: 2 } },
  model: {
    type: 'basic_classifier',
    text_field_embedder: {
      token_embedders: {
        tokens: { type: 'embedding', vocab_namespace: 'tokens', embedding_dim: word_dim },
        elmo: {
          type: 'elmo_token_embedder',
          options_file: options_file,
          weight_file: weight_file,
          dropout: 0.5,
          encoder: {
            type: 'bilm',
            initial_state: { type: 'warm' },
            // Weights in half the memory of 'float32', the default, and a faster biLM. 'int8' needs
            // a quarter. Both are for a frozen biLM.
            precision: 'bfloat16',
          },
          // The top layer alone, which represents the meaning of a word in its sentence. With enough
          // data, a 'learned' mix can be better.
          scalar_mix: { type: 'fixed', layers: 'top' },
          // Caches the vectors of all words of a namespace when the model is built. All other words
          // are computed from their characters. It needs a frozen biLM. The default, 'lru', needs
          // no list of words; { type: 'none' } caches nothing.
          word_cache: { type: 'vocabulary', namespace: 'tokens' },
          // Other ways to give the words:
          //   word_cache: { type: 'vocabulary', file: 'words.txt' }
          //     A file with one word a line, with ids counted from 1, such as
          //     `vocabulary/tokens.txt` of a trained model.
          //   word_cache: { type: 'vocabulary', words: ['', 'the', 'hotel'] }
          //     A list in the order of the ids. The first entry is for padding.
          //   vocab_to_cache: ['', 'the', 'hotel']
          //     The same list as an option of the embedder, as in AllenNLP's built-in.
        },
      },
    },
    seq2vec_encoder: {
      type: 'boe',
      embedding_dim: elmo_dim + word_dim,
      averaged: true,
    },
    dropout: 0.2,
  },
  data_loader: { batch_size: 8, shuffle: true },
  trainer: {
    num_epochs: 15,
    optimizer: { type: 'adam', lr: 0.01 },
    validation_metric: '+accuracy',
  },
}
