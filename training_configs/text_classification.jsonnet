// Classification of short texts, with words that occur often computed once.
//   allennlp train training_configs/text_classification.jsonnet -s output/text_classification
//
// For your own data and biLM, change these lines. Each line of a data file is an object with a
// "text" and a "label".
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
    // AllenNLP's default tokenizer needs a spaCy model; this one needs no download.
    tokenizer: { type: 'letters_digits' },
    token_indexers: {
      // AllenNLP's basic_classifier wants word ids beside ELMo.
      tokens: { type: 'single_id', namespace: 'tokens' },
      elmo: {
        type: 'elmo_characters',
        // Also emits each word's id in this namespace: the vocabulary word cache looks it up.
        word_namespace: 'tokens',
      },
    },
  },
  train_data_path: train,
  validation_data_path: dev,
  // The cache pays for frequent words. A rare one takes memory for little use.
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
            // Half the memory and about twice the speed of 'float32', the default, and 'int8' goes
            // as far again; for a biLM that stays frozen.
            precision: 'bfloat16',
          },
          // The top layer alone knows a word's sense in its sentence best. A learned mix finds the
          // balance where there is enough data.
          scalar_mix: { type: 'fixed', layers: 'top' },
          // The words of a namespace are computed when the model is built, for a biLM that stays
          // frozen. All other words are computed from their characters, so nothing is lost. The
          // default, 'lru', needs no list; { type: 'none' } computes every word of every batch.
          word_cache: { type: 'vocabulary', namespace: 'tokens' },
          // Instead: word_cache: { type: 'vocabulary', file: 'words.txt' }, one word a line, the
          // ids counted from 1: `vocabulary/tokens.txt` of a model trained before.
          // Instead: word_cache: { type: 'vocabulary', words: ['', 'the', 'hotel'] }, a list in
          // the order of the ids, whose first entry is for padding.
          // Instead: vocab_to_cache: ['', 'the', 'hotel'], the same in AllenNLP's words.
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
